// SPDX-License-Identifier: BSD-2-Clause
// Messages of one conversation without a gap between them, in the order of seq: the newest ones, or those around a place
// that was gone to. The same message may come several times and from everywhere; what was done to it stays done.
import {mentionsUser} from './mention.js';
import {isSystem} from './system_text.js';

export class History {
    #messages = []; // by seq
    #byId = new Map();
    #deleted = new Set();
    loaded = false; // the newest page came, or that around the place
    loading = null; // a promise
    hasOlder = true;
    failed = false; // to load
    hasNewer = false; // others than these; never of the newest ones
    failedNewer = false;
    changes = 0; // counts what was done to the messages
    #copied = null; // ids of the messages that were brought back from a copy, after which others may be missing

    // Of messages that were kept while the page was away.
    static ofCopy(messages, hasOlder) {
        const history = new History();
        history.putPage(messages, hasOlder);
        history.#copied = new Set(messages.map(({id}) => id));
        return history;
    }

    get isCopy() {
        return this.#copied !== null;
    }

    // As the server has it: its newest page, and what was heard after that.
    renewed(items, hasMore) {
        const history = new History();
        history.putPage(items, hasMore);
        const last = history.last?.seq ?? 0;
        this.#messages.filter(({id, seq}) => seq > last && !this.#copied.has(id)).forEach((m) => history.put(m));
        return history;
    }

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
        this.changes++;
        const known = this.#byId.get(message.id);
        if (known) {
            this.#replace(newerOf(known, message));
            return;
        }
        const at = this.#placeOf(message.seq);
        this.#messages.splice(at, 0, message);
        this.#byId.set(message.id, message);
    }

    // A page of history; older ones as a rule, so that they go in at once.
    putPage(items, hasMore) {
        this.changes++;
        const unknown = items.filter((m) => !this.#byId.has(m.id) && !this.#deleted.has(m.id));
        items.filter((m) => this.#byId.has(m.id)).forEach((m) => this.put(m));
        for (const message of unknown)
            this.#byId.set(message.id, message);
        this.#messages = [...unknown, ...this.#messages].sort((a, b) => a.seq - b.seq);
        this.hasOlder = hasMore;
        this.loaded = true;
    }

    // The next page after these.
    putNewerPage(items, hasMore) {
        items.forEach((m) => this.put(m));
        this.hasNewer = hasMore;
    }

    change(id, fields) {
        this.changes++;
        const known = this.#byId.get(id);
        if (known)
            this.#replace({...known, ...fields});
        return known !== undefined;
    }

    remove(id) {
        this.changes++;
        this.#deleted.add(id);
        const known = this.#byId.get(id);
        if (!known)
            return;
        this.#byId.delete(id);
        this.#messages.splice(this.#placeOf(known.seq), 1);
    }

    // What lies before that seq is gone.
    cut(seq) {
        this.changes++;
        this.#messages.splice(0, this.#placeOf(seq)).forEach(({id}) => this.#byId.delete(id));
        if (this.loaded && (this.firstSeq === seq || this.#messages.length === 0))
            this.hasOlder = false;
    }

    // {unread, mentions}: unread messages to `me` after that seq, and those of them that mention `me`; null where not all
    // of them are here.
    countUnread(me, readSeq) {
        if (!this.loaded || this.isCopy || (this.hasOlder && (this.firstSeq ?? Infinity) > readSeq + 1))
            return null;
        let unread = 0, mentions = 0;
        for (let i = this.#messages.length - 1; i >= 0 && this.#messages[i].seq > readSeq; i--) {
            if (!isUnread(this.#messages[i], me))
                continue;
            unread++;
            mentions += mentionsUser(this.#messages[i], me) ? 1 : 0;
        }
        return {unread, mentions};
    }

    // The newest message that this user has written; null where none is here.
    lastOf(userId, wanted = () => true) {
        return this.#messages.findLast((m) => m.from_user_id === userId && !isSystem(m) && wanted(m)) ?? null;
    }

    // The first message to `me` after that seq that is unread, of those that are here; null where there is none.
    firstUnread(me, readSeq, wanted = () => true) {
        for (let i = this.#placeOf(readSeq + 1); i < this.#messages.length; i++) {
            if (isUnread(this.#messages[i], me) && wanted(this.#messages[i]))
                return this.#messages[i];
        }
        return null;
    }

    firstUnreadMention(me, readSeq) {
        return this.firstUnread(me, readSeq, (message) => mentionsUser(message, me));
    }

    // Whether the first of so many unread messages after that seq is here.
    reachesUnread(me, readSeq, count) {
        if (!this.loaded)
            return false;
        if (this.isCopy || !this.hasOlder || (this.firstSeq ?? Infinity) <= readSeq + 1)
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

// As far as the message itself tells: in a group how far one has read it is kept apart.
export function isUnread(message, me) {
    if (message.is_recalled)
        return false;
    return message.to_user_id === null ? message.from_user_id !== me && !isSystem(message) :
        message.to_user_id === me && !message.is_read;
}

// Of two states of one message. Nothing unsays a recall, a reading or an edit: an answer that lacks it is older. Its reactions
// are those that came last (TidingsClient.withReactions() has added what an answer lacked).
export function newerOf(known, message) {
    if (known.is_recalled)
        return known;
    const isOlder = !message.is_recalled && (message.edited_at ?? '') < (known.edited_at ?? '');
    const newer = isOlder ? {...known, reactions: message.reactions ?? known.reactions} : message;
    const read = [message, known].find((m) => m.is_read);
    return read && !newer.is_read ? {...newer, is_read: true, read_at: read.read_at} : newer;
}

// by: who recalled it in its sender's place, or null. reason: 'expired', or null.
export function asRecalled(at, by = null, reason = null) {
    return {is_recalled: true, recalled_at: at, recalled_by: by, recalled_reason: reason, content: null, media_url: null, extra: null, entities: null, mentions: [], reactions: []};
}
