// SPDX-License-Identifier: BSD-2-Clause
// How long to wait before trying again: "full jitter", a time drawn evenly from 0 to a bound that doubles with every
// failure, so that the clients of a server that fell come back spread out.

export class Backoff {
    #baseMs;
    #maxMs;
    #random;
    #failures = 0;

    constructor({baseMs = 500, maxMs = 30000, random = Math.random} = {}) {
        this.#baseMs = baseMs;
        this.#maxMs = maxMs;
        this.#random = random;
    }

    get failures() {
        return this.#failures;
    }

    // Counts a failure and says how long to wait after it.
    next() {
        const bound = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.#failures++, 30));
        return this.#random() * bound;
    }

    reset() {
        this.#failures = 0;
    }
}
