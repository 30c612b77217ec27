// SPDX-License-Identifier: BSD-2-Clause
// Messages of a conversation that are selected to do something with all of them. Knows nothing of the page.

export const SELECTED_MAX = 100; // that can be forwarded at once, of the protocol

// What can be forwarded: stored, neither recalled nor about what has happened to a group.
export function isSelectable(message) {
    return message.seq !== null && !message.is_recalled && message.message_type !== 'system';
}

export class Selection {
    #messages = new Map(); // id -> message
    #last = null; // id of the one that was selected last

    get messages() {
        return [...this.#messages.values()].sort((a, b) => a.seq - b.seq);
    }

    get count() {
        return this.#messages.size;
    }

    has({id}) {
        return this.#messages.has(id);
    }

    // False where there are too many.
    toggle(message) {
        this.#last = message.id;
        if (this.#messages.delete(message.id))
            return true;
        if (this.#messages.size >= SELECTED_MAX)
            return false;
        this.#messages.set(message.id, message);
        return true;
    }

    // All from the one that was selected last to this one, in either direction. shown: messages in order. False where there
    // are too many.
    extendTo(message, shown) {
        const [from, to] = [this.#last, message.id].map((id) => shown.findIndex((m) => m.id === id)).sort((a, b) => a - b);
        if (from < 0)
            return this.toggle(message);
        const missing = shown.slice(from, to + 1).filter((m) => isSelectable(m) && !this.has(m));
        const room = SELECTED_MAX - this.#messages.size;
        missing.slice(0, room).forEach((m) => this.#messages.set(m.id, m));
        this.#last = message.id;
        return missing.length <= room;
    }

    // As they are now: one that is gone, or was recalled, is not selected any more. now(message): null where it is gone.
    refresh(now) {
        for (const [id, message] of this.#messages) {
            const present = now(message);
            if (present === null || present.is_recalled)
                this.#messages.delete(id);
            else
                this.#messages.set(id, present);
        }
    }
}
