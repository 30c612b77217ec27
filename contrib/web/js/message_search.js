// SPDX-License-Identifier: BSD-2-Clause
// One search of messages as it is typed: asks after a pause, forgets answers to what was asked before, and has more on
// demand. Knows nothing of the page.
import {patiently} from './patience.js';

const PAUSE_MS = 250;
const PAGE = 30;
const QUERY_MAX = 128; // characters, of the protocol
const ENOUGH = 10; // found at once, if there are as many
const ROUNDS_MAX = 4; // pages asked for in one go: a page may have few items, or none, and others follow
const LEAST = 2; // of Chinese, Japanese and Korean; of others one letter would find almost everything

export class MessageSearch {
    #ask;
    #onChange;
    #timer = null;
    #wanted = null; // {query, filters}, what the items are of, or will be
    #cursor = null;
    items = []; // {message, conversation_id, highlights}, the newest first
    loading = false;
    problem = null;

    // ask(parameters of GET /messages/search) gives a promise of its answer.
    constructor(ask, onChange) {
        this.#ask = ask;
        this.#onChange = onChange;
    }

    // Whether there is something to search for.
    get active() {
        return this.#wanted !== null;
    }

    get hasMore() {
        return this.#cursor !== null;
    }

    // filters: {conversation_id, from, type, after, before}. now: without waiting for more keys.
    set(text, filters = {}, now = false) {
        const query = Array.from(text.trim()).slice(0, QUERY_MAX).join('').trim();
        const wanted = Array.from(query).length < LEAST ? null : {query, filters};
        if (JSON.stringify(wanted) === JSON.stringify(this.#wanted) && !(now && this.problem !== null)) {
            if (now && this.#timer !== null)
                this.#begin();
            return;
        }
        clearTimeout(this.#timer);
        this.#timer = null;
        Object.assign(this, {items: [], problem: null, loading: wanted !== null});
        this.#wanted = wanted;
        this.#cursor = null;
        this.#onChange();
        if (wanted !== null && now)
            this.#begin();
        else if (wanted !== null)
            this.#timer = setTimeout(() => this.#begin(), PAUSE_MS);
    }

    #begin() {
        clearTimeout(this.#timer);
        this.#timer = null;
        return this.#load();
    }

    // The next page, if there is one and none is under way.
    async more() {
        if (this.#cursor !== null && !this.loading)
            await this.#load();
    }

    async #load() {
        const wanted = this.#wanted;
        this.loading = true;
        this.problem = null;
        this.#onChange();
        const before = this.items.length;
        try {
            let rounds = 0;
            do {
                await this.#loadPage(wanted);
                if (this.#wanted !== wanted)
                    return;
            } while (this.#cursor !== null && this.items.length - before < ENOUGH && ++rounds < ROUNDS_MAX);
        } catch (problem) {
            if (this.#wanted !== wanted)
                return;
            this.problem = problem;
        }
        this.loading = false;
        this.#onChange();
    }

    async #loadPage(wanted) {
        const cursor = this.#cursor;
        const {items, next_cursor} = await patiently(() => this.#ask({q: wanted.query, ...wanted.filters, limit: PAGE, cursor}));
        if (this.#wanted !== wanted)
            return;
        const known = new Set(this.items.map(({message}) => message.id));
        this.items = [...this.items, ...items.filter(({message}) => !known.has(message.id))];
        this.#cursor = next_cursor ?? null;
        this.#onChange();
    }

    // A message may be recalled, deleted or edited while it is listed.
    forget(isGone) {
        const left = this.items.filter(({message}) => !isGone(message));
        if (left.length === this.items.length)
            return;
        this.items = left;
        this.#onChange();
    }
}
