// SPDX-License-Identifier: BSD-2-Clause
// Reads the messages of conversations page by page: the newest, older ones, and those around a place further back.
import {firstSince} from './day_search.js';
import {History} from './history.js';
import {patiently} from './patience.js';

const PAGE = 100;
const AROUND = 50; // messages on each side of one that is gone to

export class Pages {
    #client;
    #conversations;
    #wantNames;
    #onChange;

    // wantNames(messages): they will be shown; onChange(): a history, or whether it is loading, has changed
    constructor(client, conversations, wantNames, onChange) {
        this.#client = client;
        this.#conversations = conversations;
        this.#wantNames = wantNames;
        this.#onChange = onChange;
    }

    // The newest page, or the one before what is here. Resolves when it is there or has failed, which the history tells.
    load(c, history = c.history) {
        return this.#loading(history, () => this.#loadPage(c, history));
    }

    // The page after what is shown of a place further back, until that comes to the newest messages.
    loadNewer(c) {
        return this.#loading(c.window, () => this.#loadNewerPage(c, c.window));
    }

    #loading(history, load) {
        history.loading ??= load().finally(() => {
            history.loading = null;
            this.#onChange();
        });
        return history.loading;
    }

    // Has the newest messages in the place of a copy of them, which is shown meanwhile.
    async renew(c) {
        const copy = c.history;
        try {
            const page = await this.#readHistory(c, {limit: PAGE});
            if (c.history !== copy)
                return;
            c.history = copy.renewed(page.items, page.has_more);
            this.#conversations.recount(c);
            this.#onChange();
        } catch {
            // it stays a copy until the next time
        }
    }

    async #loadPage(c, history) {
        history.failed = false;
        this.#onChange();
        try {
            const before = history.loaded ? history.firstSeq ?? undefined : undefined;
            const page = await this.#readHistory(c, {before, limit: PAGE});
            history.putPage(page.items, page.has_more);
            c.joinWindow();
            this.#conversations.recount(c);
        } catch {
            history.failed = true;
        }
    }

    async #loadNewerPage(c, window) {
        window.failedNewer = false;
        this.#onChange();
        try {
            const page = await this.#readHistory(c, {after: window.last?.seq ?? 0, limit: PAGE});
            window.putNewerPage(page.items, page.has_more);
            if (c.window === window)
                c.joinWindow();
            this.#conversations.recount(c);
        } catch {
            window.failedNewer = true;
        }
    }

    async #readHistory(c, range) {
        const {moment, rest} = this.#client;
        const {items, has_more} = await patiently(() => rest.history(c.id, range));
        this.#wantNames(items);
        return {items: items.map((m) => this.#client.withReactions(m, moment)), has_more};
    }

    // Shows what is around that seq, however far back it is. Rejects with a Problem.
    async showAround(c, seq) {
        const [older, newer] = await Promise.all([
            this.#readHistory(c, {before: seq, limit: AROUND}), this.#readHistory(c, {after: seq - 1, limit: AROUND})]);
        const window = new History();
        window.putPage(older.items, older.has_more);
        window.putNewerPage(newer.items, newer.has_more);
        c.window = window;
        c.joinWindow();
        this.#conversations.recount(c);
    }

    // The first message of that moment or after it, or of all (null); null where there is none. Rejects with a Problem.
    firstSince(c, since) {
        const read = async (after) => (await this.#readHistory(c, {after, limit: 1})).items[0] ?? null;
        return since === null ? read(c.firstSeq - 1) : firstSince(read, c.firstSeq, c.topSeq, since);
    }
}
