// SPDX-License-Identifier: BSD-2-Clause
// What a LoginStore needs of localStorage.

export class Memory {
    values = new Map();

    getItem(key) {
        return this.values.get(key) ?? null;
    }

    setItem(key, value) {
        this.values.set(key, value);
    }

    removeItem(key) {
        this.values.delete(key);
    }
}
