// SPDX-License-Identifier: BSD-2-Clause
// Drafts on their way to the server, from where the user's other devices have them. While one goes on writing they are
// told now and then alone. Knows nothing of the page.

const PAUSE_MS = 1500; // after the last key
const LONGEST_MS = 10000; // while there is none
const DRAFT_MAX = 4096; // bytes, of the protocol

// As the server keeps it: null for none. What is too long for it stays on this device.
export function storedDraft(text) {
    return text.trim() === '' || text.length > DRAFT_MAX || new TextEncoder().encode(text).length > DRAFT_MAX ? null : text;
}

// Of a text here, and the server's, since both were `base`: whether the server's takes its place.
export function takesTheirs(mine, base, theirs) {
    return mine !== theirs && mine === base;
}

export class DraftSync {
    #put;
    #waiting = new Map(); // conversation -> {text, since, timer, busy}

    // put(conversation, draft) resolves when the server has it; settings.draft of the conversation says so then.
    constructor(put) {
        this.#put = put;
    }

    // What is written there now.
    changed(c, text) {
        if (!this.#waiting.has(c) && storedDraft(text) === c.settings.draft)
            return;
        const entry = this.#waiting.get(c) ?? {since: Date.now(), timer: null, busy: false};
        entry.text = text;
        this.#waiting.set(c, entry);
        this.#schedule(c, entry);
    }

    // The user leaves the conversation.
    flush(c) {
        const entry = this.#waiting.get(c);
        if (entry)
            this.#tell(c, entry);
    }

    // There is a connection again.
    retry() {
        this.#waiting.forEach((entry, c) => this.#tell(c, entry));
    }

    // Whether the server lacks what is written there.
    isWaiting(c) {
        return this.#waiting.has(c);
    }

    stop() {
        this.#waiting.forEach(({timer}) => clearTimeout(timer));
        this.#waiting.clear();
    }

    // A draft that is gone was sent: another device should not offer it.
    #schedule(c, entry) {
        clearTimeout(entry.timer);
        const delay = entry.text === '' ? 0 : Math.min(PAUSE_MS, entry.since + LONGEST_MS - Date.now());
        entry.timer = setTimeout(() => this.#tell(c, entry), Math.max(0, delay));
    }

    async #tell(c, entry) {
        clearTimeout(entry.timer);
        if (entry.busy)
            return; // it looks again when it is done
        const draft = storedDraft(entry.text);
        if (c.gone !== null || draft === c.settings.draft) {
            this.#waiting.delete(c);
            return;
        }
        entry.busy = true;
        entry.since = Date.now();
        const isTold = await this.#try(c, draft);
        entry.busy = false;
        if (this.#waiting.get(c) !== entry)
            return;
        if (isTold && storedDraft(entry.text) !== draft)
            this.#schedule(c, entry);
        else if (isTold)
            this.#waiting.delete(c);
    }

    // False where it may be tried again.
    async #try(c, draft) {
        try {
            await this.#put(c, draft);
            return true;
        } catch (problem) {
            return !problem.transient;
        }
    }
}
