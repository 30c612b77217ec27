// SPDX-License-Identifier: BSD-2-Clause
// The browser's storages, none of which can be relied on: they may be full, or forbidden by the user. Nothing here
// throws. What cannot be written is remembered as long as the page lives, so that what it reads is what it wrote last.

let onFull = null;

// callback(): something could not be stored; once.
export function onStorageFull(callback) {
    onFull = callback;
}

export class SafeStorage {
    #open;
    #unwritten = new Map(); // key -> value, null: removed; newer than what is stored

    // open() gives the storage, or throws.
    constructor(open) {
        this.#open = open;
    }

    getItem(key) {
        if (this.#unwritten.has(key))
            return this.#unwritten.get(key);
        try {
            return this.#open().getItem(key);
        } catch {
            return null;
        }
    }

    setItem(key, value) {
        this.#unwritten.set(key, value);
        this.#write();
    }

    removeItem(key) {
        this.#unwritten.set(key, null);
        this.#write();
    }

    keys() {
        const keys = new Set();
        try {
            Object.keys(this.#open()).forEach((key) => keys.add(key));
        } catch {
            // none
        }
        this.#unwritten.forEach((value, key) => (value === null ? keys.delete(key) : keys.add(key)));
        return [...keys];
    }

    // null where there is nothing, or nothing that can be read.
    getJson(key) {
        try {
            return JSON.parse(this.getItem(key));
        } catch {
            return null;
        }
    }

    setJson(key, value) {
        this.setItem(key, JSON.stringify(value));
    }

    // Whether it is that storage which an event tells of.
    is(storage) {
        try {
            return this.#open() === storage;
        } catch {
            return false;
        }
    }

    // All that waits, what is removed first: it makes room.
    #write() {
        const waiting = [...this.#unwritten].sort(([, a], [, b]) => (a?.length ?? 0) - (b?.length ?? 0));
        for (const [key, value] of waiting) {
            try {
                const storage = this.#open();
                if (value === null)
                    storage.removeItem(key);
                else
                    write(storage, key, value);
                this.#unwritten.delete(key);
            } catch {
                onFull?.();
                onFull = null;
            }
        }
    }
}

// A shorter value stands for something that is done with. Where not even that can be written the old one goes, lest a
// draft that was sent comes back. A longer one leaves the old one: some is better than nothing.
function write(storage, key, value) {
    try {
        storage.setItem(key, value);
    } catch (error) {
        if (value.length <= (storage.getItem(key)?.length ?? 0))
            storage.removeItem(key);
        throw error;
    }
}

// Of all tabs, and kept; of this tab.
export const lasting = new SafeStorage(() => localStorage);
export const passing = new SafeStorage(() => sessionStorage);

// A storage as one user has it, until it is given back: who writes later, as somebody who has waited for an answer, writes
// nothing.
export class LentStorage {
    #storage;
    #isBack = false;

    constructor(storage) {
        this.#storage = storage;
    }

    giveBack() {
        this.#isBack = true;
    }

    getItem(key) {
        return this.#storage.getItem(key);
    }

    setItem(key, value) {
        if (!this.#isBack)
            this.#storage.setItem(key, value);
    }

    removeItem(key) {
        if (!this.#isBack)
            this.#storage.removeItem(key);
    }

    getJson(key) {
        return this.#storage.getJson(key);
    }

    setJson(key, value) {
        this.setItem(key, JSON.stringify(value));
    }
}
