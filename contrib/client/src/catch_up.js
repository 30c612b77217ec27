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

    // on.synced(), on.conversation(c), on.moved() when the cursor has, on.error(problem) for what no trying mends.
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
        for (const {id} of this.#ledger.recent(Infinity)) {
            if (this.#ledger.heldOf(id).length > 0)
                this.gap(id);
        }
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
        const page = await this.#rest.conversations({limit: PAGE});
        if (current())
            page.items.forEach((c) => this.#on.conversation(c));
    }

    // The first cursor is kept if this has to be done again: conversations that have begun already go on from there.
    async #begin(current) {
        this.#firstCursor ??= (await this.#rest.sync()).cursor;
        for await (const conversation of this.#rest.each((page) => this.#rest.conversations(page), {limit: PAGE})) {
            if (!current())
                return;
            this.#ledger.begin(conversation);
            this.#on.conversation(conversation);
        }
        if (!current())
            return;
        this.#ledger.allBegun();
        this.#setCursor(this.#firstCursor);
    }

    async #step(current) {
        const conversations = this.#ledger.recent(LISTED_MAX);
        const listed = new Set(conversations.map((c) => c.id));
        const answer = await this.#rest.sync({conversations, since: this.#cursor, limit: PAGE});
        if (!current())
            return false;
        let again = answer.more;
        for (const item of answer.conversations) {
            again = this.#ledger.merge(item, listed.has(item.conversation.id)) || again;
            this.#on.conversation(item.conversation);
        }
        this.#setCursor(answer.cursor);
        return again;
    }

    #setCursor(cursor) {
        this.#cursor = cursor;
        this.#on.moved();
    }

    // Messages of this conversation are held for want of earlier ones. Those may be on their way, so they get a moment.
    async gap(conversationId) {
        if (!this.#up || this.#running || this.#filling.has(conversationId))
            return;
        this.#filling.add(conversationId);
        const round = this.#round;
        const current = () => round === this.#round && !this.#running;
        await new Promise((resolve) => setTimeout(resolve, this.#timing.gapMs));
        while (current() && this.#ledger.heldOf(conversationId).length > 0)
            await this.#untilDone(current, () => this.#fill(conversationId));
        if (round === this.#round)
            this.#filling.delete(conversationId);
    }

    async #fill(conversationId) {
        const held = this.#ledger.heldOf(conversationId);
        const after = this.#ledger.seqOf(conversationId);
        const {items, has_more} = await this.#rest.history(conversationId, {after, limit: PAGE});
        this.#ledger.fill(conversationId, items);
        // Held before it was asked for, and yet not in the answer: deleted meanwhile.
        if (!has_more)
            this.#ledger.settle(conversationId, Math.max(...held));
    }
}
