// SPDX-License-Identifier: BSD-2-Clause
// What others wait for, until nobody needs to wait any more: a callback may take its time, or for ever.

export class Closing {
    #problem = null;
    #rejects = new Set(); // of those who wait

    // Throws the Problem that it was closed with.
    check() {
        if (this.#problem !== null)
            throw this.#problem;
    }

    // Those who wait, and those who come, are told that it is of no use.
    close(problem) {
        this.#problem = problem;
        this.#rejects.forEach((reject) => reject(problem));
    }

    // As the promise, unless it is closed before.
    unless(promise) {
        let reject;
        const closed = new Promise((_, no) => {
            reject = no;
        });
        this.#rejects.add(reject);
        return Promise.race([promise, closed]).finally(() => this.#rejects.delete(reject));
    }
}
