// SPDX-License-Identifier: BSD-2-Clause
// The token in use, and where the next one comes from. A token that the server refuses is given up; when that happens
// to one that was fetched just before, fetching another is of no use, and the user has to sign in again.
import {Closing} from './closing.js';
import {Problem} from './problem.js';

export class Tokens {
    #value;
    #getToken;
    #fetching = null;
    #fetched = false; // by getToken, and not yet accepted by the server
    #exhausted = false;
    #closing = new Closing();

    constructor(token, getToken) {
        this.#value = token || null;
        this.#getToken = getToken ?? null;
    }

    // Rejects with a Problem: one about the token if there is none, a transient one if getToken failed.
    async get() {
        if (this.#value !== null)
            return this.#value;
        this.#closing.check();
        if (!this.refreshable)
            throw new Problem('token_invalid', {detail: 'There is no valid token.'});
        this.#fetching ??= this.#fetch().finally(() => {
            this.#fetching = null;
        });
        return this.#closing.unless(this.#fetching);
    }

    close(problem) {
        this.#closing.close(problem);
    }

    async #fetch() {
        let token;
        try {
            token = await this.#getToken();
        } catch (cause) {
            throw new Problem('disconnected', {detail: 'A token could not be fetched.', cause});
        }
        if (!token)
            throw new Problem('token_invalid', {detail: 'There is no valid token.'});
        this.#value = token;
        this.#fetched = true;
        return token;
    }

    // The server took it.
    accepted(token) {
        if (token === this.#value)
            this.#fetched = false;
    }

    // The server refused it, or closed the connection because it expired.
    refused(token) {
        if (token !== this.#value)
            return;
        this.#value = null;
        this.#exhausted = this.#fetched;
    }

    // Whether another one can be asked for.
    get refreshable() {
        return this.#getToken !== null && !this.#exhausted;
    }

    set(token) {
        this.#value = token;
        this.#fetched = false;
        this.#exhausted = false;
    }

    // The user asks: fetching is worth another try.
    retry() {
        this.#exhausted = false;
    }
}
