// SPDX-License-Identifier: BSD-2-Clause
// Brings what the events did not: after every (re)connection and `resync` the whole of it, by POST /messages/sync, and
// for a gap in one conversation its history. Runs while the connection is up; what fails is tried again.
import {Backoff} from './backoff.js';

const LISTED_MAX = 200; // of the protocol
const PAGE = 100; // of the protocol

export class CatchUp {
    #rest;
    #ledger;
    #timing;
    #backoffOptions;
    #on;
    #cursor = null;
    #firstCursor = null;
    #round = 0; // counts connections and their ends; what belongs to an earlier one ends
    #up = false;
    #running = false;
    #again = false;
    #filling = new Set(); // ids of conversations

    // on.synced(), on.conversation(c), on.left(conversation_id) for one that the user may not see any more, on.moved()
    // when the cursor has, on.error(problem) for what no trying helps.
    constructor({rest, ledger, timing, backoff, on}) {
        this.#rest = rest;
        this.#ledger = ledger;
        this.#timing = timing;
        this.#backoffOptions = backoff;
        this.#on = on;
    }

    get cursor() {
        return this.#cursor;
    }

    restore(cursor) {
        this.#cursor = cursor;
    }

    start() {
        this.#round++;
        this.#up = true;
        this.#running = false;
        this.#filling.clear();
        this.run();
    }

    stop() {
        this.#round++;
        this.#up = false;
    }

    // Again from the beginning, if it is running already.
    async run() {
        if (!this.#up)
            return;
        this.#again = true;
        if (this.#running)
            return;
        this.#running = true;
        const round = this.#round;
        const current = () => round === this.#round;
        while (current() && this.#again) {
            this.#again = false;
            await this.#untilDone(current, () => this.#pass(current));
        }
        if (!current())
            return;
        this.#running = false;
        this.#on.synced();
        // Gaps met meanwhile were left to this run; one that came after its last answer is left over.
        this.#ledger.wanting().forEach((id) => this.gap(id));
    }

    async #untilDone(current, work) {
        const backoff = new Backoff(this.#backoffOptions);
        while (current()) {
            try {
                return await work();
            } catch (problem) {
                if (!current())
                    return undefined;
                if (!problem.transient && !problem.aboutToken)
                    this.#on.error(problem);
                await new Promise((resolve) => setTimeout(resolve, Math.max(backoff.next(), problem.retryAfterMs ?? 0)));
            }
        }
        return undefined;
    }

    async #pass(current) {
        const isFirst = this.#cursor === null;
        if (isFirst)
            await this.#begin(current);
        for (let again = true; again && current();)
            again = await this.#step(current);
        if (isFirst || !current())
            return;
        // Reading a whole conversation is no change that sync would tell of; the list shows it.
        const {moment} = this.#ledger;
        const page = await this.#rest.conversations({limit: PAGE});
        if (!current())
            return;
        for (const conversation of page.items.filter((c) => !this.#ledger.isOver(c, moment)).reverse()) {
            this.#on.conversation(conversation);
            this.#ledger.meet(conversation);
        }
    }

    // The first cursor is kept if this has to be done again: conversations that have begun already go on from there.
    async #begin(current) {
        this.#firstCursor ??= (await this.#rest.sync()).cursor;
        const {moment} = this.#ledger;
        // A message takes a conversation out of the archived ones, so these come first: it is in the other list then.
        for (const archived of [true, false]) {
            let cursor = null;
            do {
                const page = await this.#rest.conversations({limit: PAGE, cursor, archived});
                if (!current())
                    return;
                this.#beginWith(page.items, moment);
                cursor = page.next_cursor ?? null;
            } while (cursor !== null);
        }
        this.#ledger.allBegun();
        this.#setCursor(this.#firstCursor);
    }

    // A page in one go: whoever shows them draws once, not a hundred times.
    #beginWith(conversations, moment) {
        for (const conversation of conversations.filter((c) => !this.#ledger.isOver(c, moment))) {
            this.#ledger.begin(conversation);
            this.#on.conversation(conversation);
        }
    }

    async #step(current) {
        const conversations = this.#ledger.recent(LISTED_MAX);
        const listed = new Set(conversations.map((c) => c.id));
        const {moment} = this.#ledger;
        const answer = await this.#rest.sync({conversations, since: this.#cursor, limit: PAGE});
        if (!current())
            return false;
        let again = answer.more;
        for (const id of answer.gone ?? [])
            this.#gone(id, moment);
        for (const item of answer.conversations) {
            if (this.#ledger.isOver(item.conversation, moment))
                continue;
            again = this.#ledger.merge(item, listed.has(item.conversation.id)) || again;
            this.#on.conversation(item.conversation);
        }
        this.#setCursor(answer.cursor);
        return again;
    }

    // Unless an event has shown the conversation since it was asked: the user came back.
    #gone(conversationId, moment) {
        if (!this.#ledger.metSince(conversationId, moment))
            this.#on.left(conversationId);
    }

    #setCursor(cursor) {
        this.#cursor = cursor;
        this.#on.moved();
    }

    // Messages of this conversation are missing, or it is a group that is not known. What is missing may be on its way, so
    // it gets a moment.
    async gap(conversationId) {
        if (!this.#up || this.#running || this.#filling.has(conversationId))
            return;
        this.#filling.add(conversationId);
        const round = this.#round;
        const current = () => round === this.#round && !this.#running;
        await new Promise((resolve) => setTimeout(resolve, this.#timing.gapMs));
        while (current() && this.#ledger.isWanting(conversationId))
            await this.#untilDone(current, () => this.#fill(conversationId, current));
        if (round === this.#round)
            this.#filling.delete(conversationId);
    }

    async #fill(conversationId, current) {
        const {moment} = this.#ledger;
        const isKnown = this.#ledger.seqOf(conversationId) !== null;
        try {
            await (isKnown ? this.#fetchMissing(conversationId, current) : this.#fetchGroup(conversationId, current));
        } catch (problem) {
            if (problem.code !== 'not_found')
                throw problem;
            if (current())
                this.#gone(conversationId, moment);
        }
    }

    async #fetchMissing(conversationId, current) {
        const {moment} = this.#ledger;
        const last = this.#ledger.lastKnownOf(conversationId);
        const after = this.#ledger.seqOf(conversationId);
        const {items, has_more} = await this.#rest.history(conversationId, {after, limit: PAGE});
        if (!current() || this.#ledger.leftSince(conversationId, moment))
            return;
        this.#ledger.fill(conversationId, items);
        // Known before it was asked for, and yet not in the answer: deleted meanwhile.
        if (!has_more)
            this.#ledger.settle(conversationId, last);
    }

    async #fetchGroup(conversationId, current) {
        const {moment} = this.#ledger;
        const conversation = await this.#rest.group(conversationId);
        if (!current() || this.#ledger.leftSince(conversationId, moment))
            return;
        if (this.#ledger.isOver(conversation)) {
            this.#on.left(conversationId);
            return;
        }
        this.#on.conversation(conversation);
        this.#ledger.meet(conversation);
    }
}
