// SPDX-License-Identifier: BSD-2-Clause
// The token in use, and where the next one comes from. A token that the server refuses is given up; when that happens
// to one that was fetched just before, fetching another is of no use, and the user has to sign in again.
import {Problem} from './problem.js';

export class Tokens {
    #value;
    #getToken;
    #fetching = null;
    #fetched = false; // by getToken, and not yet accepted by the server
    #exhausted = false;
    #closed = null; // a Problem, once nobody waits for a token any more
    #giveUp = new Set(); // reject functions of those who wait

    constructor(token, getToken) {
        this.#value = token || null;
        this.#getToken = getToken ?? null;
    }

    // Rejects with a Problem: one about the token if there is none, a transient one if getToken failed.
    async get() {
        if (this.#value !== null)
            return this.#value;
        if (this.#closed !== null)
            throw this.#closed;
        if (!this.refreshable)
            throw new Problem('token_invalid', {detail: 'There is no valid token.'});
        this.#fetching ??= this.#fetch().finally(() => {
            this.#fetching = null;
        });
        return this.#unlessClosed(this.#fetching);
    }

    // A callback may take its time, or for ever. Whoever waits for it is told that it is of no use any more.
    close(problem) {
        this.#closed = problem;
        this.#giveUp.forEach((reject) => reject(problem));
    }

    #unlessClosed(promise) {
        let reject;
        const closed = new Promise((_, no) => {
            reject = no;
        });
        this.#giveUp.add(reject);
        return Promise.race([promise, closed]).finally(() => this.#giveUp.delete(reject));
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
