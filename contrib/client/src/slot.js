// SPDX-License-Identifier: BSD-2-Clause
// One JSON value in a storage like localStorage, or one whose methods return promises. Writes are gathered and never
// overtake one another; the last value wins.

export class Slot {
    #storage;
    #key;
    #delayMs;
    #onError;
    #produce = null;
    #writing = null;
    #last = Promise.resolve(); // the write before

    // storage: null keeps nothing. delayMs: how long to gather changes before writing.
    constructor(storage, key, {delayMs = 0, onError}) {
        this.#storage = storage;
        this.#key = key;
        this.#delayMs = delayMs;
        this.#onError = onError;
    }

    // What was saved; null where there is nothing, or nothing that can be read.
    async load() {
        try {
            return JSON.parse(await this.#storage?.getItem(this.#key) ?? 'null');
        } catch (error) {
            this.#onError(error);
            return null;
        }
    }

    // Writes what produce() gives when the time comes. Resolves when it is written, or cannot be.
    save(produce) {
        if (!this.#storage)
            return Promise.resolve();
        this.#produce = produce;
        this.#writing ??= this.#write().finally(() => {
            this.#writing = null;
        });
        return this.#writing;
    }

    // Without waiting for more changes.
    flush() {
        return this.#writeNow();
    }

    async #write() {
        while (this.#produce !== null) {
            if (this.#delayMs > 0)
                await new Promise((resolve) => setTimeout(resolve, this.#delayMs));
            await this.#writeNow();
        }
    }

    #writeNow() {
        this.#last = this.#last.then(async () => {
            const produce = this.#produce;
            this.#produce = null;
            if (produce !== null)
                await this.#storage.setItem(this.#key, JSON.stringify(produce()));
        }).catch(this.#onError);
        return this.#last;
    }
}
