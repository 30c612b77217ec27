// SPDX-License-Identifier: BSD-2-Clause
// Finding people by a part of their name as one types. A server may have no directory: then only exact ids are found.

const MIN_LENGTH = 2; // of the protocol
const PAUSE_MS = 250;
const PAGE = 20;

export class Directory {
    #find;
    #onChange;
    #request = 0; // the newest one; the answers to others come too late
    #timer = null;
    #cursor = null;
    isAvailable = true; // as far as is known
    text = ''; // what `users` were found by
    users = [];
    problem = null;
    isAsking = false;

    // find(text, {limit, cursor}) asks the server; onChange(): look again
    constructor(find, onChange) {
        this.#find = find;
        this.#onChange = onChange;
    }

    get hasMore() {
        return this.#cursor !== null;
    }

    // What is in the field now.
    type(text) {
        const wanted = text.trim();
        clearTimeout(this.#timer);
        this.#request++;
        this.isAsking = false;
        if (wanted === this.text && this.problem === null)
            return;
        if ([...wanted].length < MIN_LENGTH || !this.isAvailable)
            this.#show('', [], null, null);
        else
            this.#timer = setTimeout(() => this.#ask(wanted, null), PAUSE_MS);
    }

    // The next page; resolves when it is there.
    async more() {
        if (this.hasMore && !this.isAsking)
            await this.#ask(this.text, this.#cursor);
    }

    #show(text, users, cursor, problem) {
        Object.assign(this, {text, users, problem});
        this.#cursor = cursor;
        this.#onChange();
    }

    async #ask(text, cursor) {
        const request = ++this.#request;
        this.isAsking = true;
        try {
            const {items, next_cursor} = await this.#find(text, {limit: PAGE, cursor});
            if (request === this.#request)
                this.#show(text, cursor === null ? items : joined(this.users, items), next_cursor, null);
        } catch (problem) {
            if (request === this.#request)
                this.#failed(text, cursor, problem);
        } finally {
            if (request === this.#request)
                this.isAsking = false;
        }
    }

    #failed(text, cursor, problem) {
        this.isAvailable = problem.code !== 'not_found';
        if (!this.isAvailable)
            this.#show('', [], null, null);
        else
            this.#show(text, cursor === null ? [] : this.users, cursor, problem);
    }
}

// A user who is renamed meanwhile may be on two pages.
function joined(users, more) {
    const known = new Set(users.map(({user_id}) => user_id));
    return [...users, ...more.filter(({user_id}) => !known.has(user_id))];
}
