// SPDX-License-Identifier: BSD-2-Clause
// Named events with one argument. A listener that throws is reported the way of an uncaught error, and neither keeps
// the others from hearing nor disturbs whoever emitted.

export class Emitter {
    #listeners = new Map(); // name -> Set of functions

    // Returns the function that takes the listener off again.
    on(name, listener) {
        let set = this.#listeners.get(name);
        if (!set)
            this.#listeners.set(name, set = new Set());
        set.add(listener);
        return () => this.off(name, listener);
    }

    once(name, listener) {
        const off = this.on(name, (event) => {
            off();
            listener(event);
        });
        return off;
    }

    off(name, listener) {
        this.#listeners.get(name)?.delete(listener);
    }

    emit(name, event) {
        for (const listener of [...this.#listeners.get(name) ?? []]) {
            try {
                listener(event);
            } catch (error) {
                queueMicrotask(() => {
                    throw error;
                });
            }
        }
    }
}
