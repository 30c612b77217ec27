// SPDX-License-Identifier: BSD-2-Clause
// Who is writing in which conversation. The server tells when someone goes on typing, and nothing when they stop.

const SHOWN_MS = 4500;

export class Typing {
    #timers = new Map(); // "conversation user" -> timer
    #onChange;

    // onChange(): someone has stopped
    constructor(onChange) {
        this.#onChange = onChange;
    }

    heard(c, userId) {
        const key = `${c.id} ${userId}`;
        clearTimeout(this.#timers.get(key));
        if (!c.typing.includes(userId))
            c.typing = [...c.typing, userId];
        this.#timers.set(key, setTimeout(() => {
            this.ended(c, userId);
            this.#onChange();
        }, SHOWN_MS));
    }

    // They have sent what they wrote, or are gone.
    ended(c, userId) {
        const key = `${c.id} ${userId}`;
        clearTimeout(this.#timers.get(key));
        this.#timers.delete(key);
        c.typing = c.typing.filter((id) => id !== userId);
    }
}
