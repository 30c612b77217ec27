// SPDX-License-Identifier: BSD-2-Clause
// The messages of one conversation that are here: the newest ones without a gap, in the order of seq. The same message
// may come several times and from everywhere; what was done to it stays done.

export class History {
    #messages = []; // by seq
    #byId = new Map();
    #deleted = new Set();
    loaded = false; // the newest page came
    loading = null; // a promise
    hasOlder = true;
    failed = false; // to load

    get messages() {
        return this.#messages;
    }

    get firstSeq() {
        return this.#messages[0]?.seq ?? null;
    }

    get last() {
        return this.#messages.at(-1) ?? null;
    }

    byId(id) {
        return this.#byId.get(id) ?? null;
    }

    isDeleted(id) {
        return this.#deleted.has(id);
    }

    // Messages that come before the first page are kept, since that page may lack them.
    put(message) {
        if (this.#deleted.has(message.id))
            return;
        const known = this.#byId.get(message.id);
        if (known) {
            this.#replace(merged(known, message));
            return;
        }
        const at = this.#placeOf(message.seq);
        this.#messages.splice(at, 0, message);
        this.#byId.set(message.id, message);
    }

    // A page of history; older ones as a rule, so that they go in at once.
    putPage(items, hasMore) {
        const unknown = items.filter((m) => !this.#byId.has(m.id) && !this.#deleted.has(m.id));
        items.filter((m) => this.#byId.has(m.id)).forEach((m) => this.put(m));
        for (const message of unknown)
            this.#byId.set(message.id, message);
        this.#messages = [...unknown, ...this.#messages].sort((a, b) => a.seq - b.seq);
        this.hasOlder = hasMore;
        this.loaded = true;
    }

    change(id, fields) {
        const known = this.#byId.get(id);
        if (known)
            this.#replace({...known, ...fields});
        return known !== undefined;
    }

    remove(id) {
        this.#deleted.add(id);
        const known = this.#byId.get(id);
        if (!known)
            return;
        this.#byId.delete(id);
        this.#messages.splice(this.#placeOf(known.seq), 1);
    }

    // Unread messages to `me` after that seq; null where not all of them are here.
    countUnread(me, readSeq) {
        if (!this.loaded || (this.hasOlder && (this.firstSeq ?? Infinity) > readSeq + 1))
            return null;
        let count = 0;
        for (let i = this.#messages.length - 1; i >= 0 && this.#messages[i].seq > readSeq; i--) {
            count += isUnread(this.#messages[i], me) ? 1 : 0;
        }
        return count;
    }

    // The first message to `me` after that seq that is unread, of those that are here; null where there is none.
    firstUnread(me, readSeq) {
        for (let i = this.#placeOf(readSeq + 1); i < this.#messages.length; i++) {
            if (isUnread(this.#messages[i], me))
                return this.#messages[i];
        }
        return null;
    }

    // Whether the first of so many unread messages after that seq is here.
    reachesUnread(me, readSeq, count) {
        if (!this.loaded)
            return false;
        if (!this.hasOlder || (this.firstSeq ?? Infinity) <= readSeq + 1)
            return true;
        return this.#messages.slice(this.#placeOf(readSeq + 1)).filter((m) => isUnread(m, me)).length >= count;
    }

    #replace(message) {
        this.#byId.set(message.id, message);
        this.#messages[this.#placeOf(message.seq)] = message;
    }

    // The index of the first message of at least that seq.
    #placeOf(seq) {
        let low = 0, high = this.#messages.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.#messages[middle].seq < seq)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}

function isUnread(message, me) {
    return message.to_user_id === me && !message.is_read && !message.is_recalled;
}

// Nothing unsays a recall or a reading: an answer that lacks it is older.
function merged(known, message) {
    if (known.is_recalled && !message.is_recalled)
        return known;
    return known.is_read && !message.is_read ? {...message, is_read: true, read_at: known.read_at} : message;
}

export function asRecalled(at) {
    return {is_recalled: true, recalled_at: at, content: null, media_url: null, extra: null};
}
