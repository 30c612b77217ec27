// SPDX-License-Identifier: BSD-2-Clause
// The caller's conversations, as the server told of them and as the events have changed them since.
import {History, asRecalled} from './history.js';

const later = (a, b) => ((a ?? '') > (b ?? '') ? a : b);

export class Conversation {
    history = new History();
    last = null; // the newest message that the caller has not deleted
    time = null; // of the newest message, whoever deleted it
    unread = 0;
    readSeq = 0;
    peerReadSeq = 0;
    typing = false;
    newSeq = null; // while it is shown: of the first message that was new when the user came to it

    constructor(id, peer, createdAt) {
        this.id = id;
        this.peer = peer;
        this.createdAt = createdAt;
    }

    get sortTime() {
        return this.time ?? this.createdAt;
    }

    // The highest seq that is known.
    get topSeq() {
        return Math.max(this.last?.seq ?? 0, this.history.last?.seq ?? 0);
    }
}

export class Conversations {
    #byId = new Map();
    #byPeer = new Map();
    me = null;

    get(id) {
        return this.#byId.get(id) ?? null;
    }

    withPeer(userId) {
        return this.#byPeer.get(userId) ?? null;
    }

    // The latest first.
    list() {
        return [...this.#byId.values()].sort((a, b) => (a.sortTime < b.sortTime ? 1 : a.sortTime > b.sortTime ? -1 : 0));
    }

    get unread() {
        let sum = 0;
        for (const c of this.#byId.values())
            sum += c.unread;
        return sum;
    }

    // As the server shows it. An answer may be older than the events that overtook it.
    put(shown) {
        const c = this.#known(shown.id, shown.peer, shown.created_at);
        c.peer = shown.peer;
        c.createdAt = shown.created_at;
        c.readSeq = Math.max(c.readSeq, shown.read_seq);
        c.peerReadSeq = Math.max(c.peerReadSeq, shown.peer_read_seq);
        if (c.time !== null && (shown.last_message_time ?? '') < c.time)
            return c;
        c.time = shown.last_message_time;
        if (shown.last_message === null || !c.history.isDeleted(shown.last_message.id)) {
            const newer = shown.last_message && c.history.byId(shown.last_message.id);
            c.last = newer?.is_recalled ? newer : shown.last_message;
        }
        c.unread = c.readSeq >= c.topSeq ? 0 : shown.unread_count;
        this.recount(c);
        return c;
    }

    // A message was sent by this user or to them. True for one that was not known.
    heard(message) {
        const mine = message.from_user_id === this.me;
        const peerId = mine ? message.to_user_id : message.from_user_id;
        const c = this.#known(message.conversation_id, {user_id: peerId, nickname: null, avatar_url: null, online: false},
            message.created_at);
        if (c.history.isDeleted(message.id))
            return false;
        const isNew = message.seq > c.topSeq;
        c.history.put(message);
        c.time = later(c.time, message.created_at);
        if (isNew || c.last?.id === message.id)
            c.last = message;
        if (isNew && !mine && message.seq > c.readSeq && !message.is_read && !message.is_recalled)
            c.unread++;
        this.recount(c);
        return isNew;
    }

    // These return whether the counts have to be asked for, since not all unread messages are here.
    recalled(id, messageId, at) {
        return this.#changed(id, messageId, asRecalled(at));
    }

    messageRead(id, messageId, at) {
        return this.#changed(id, messageId, {is_read: true, read_at: at});
    }

    deleted(id, messageId) {
        const c = this.get(id);
        if (!c)
            return false;
        c.history.remove(messageId);
        const wasLast = c.last?.id === messageId;
        if (wasLast)
            c.last = c.history.last;
        return !this.recount(c) || (wasLast && c.last === null);
    }

    readUpTo(id, readerId, seq) {
        const c = this.get(id);
        if (!c)
            return false;
        if (readerId !== this.me) {
            c.peerReadSeq = Math.max(c.peerReadSeq, seq);
            return false;
        }
        c.readSeq = Math.max(c.readSeq, seq);
        return !this.recount(c);
    }

    // False where not all unread messages are here.
    recount(c) {
        const count = c.readSeq >= c.topSeq ? 0 : c.history.countUnread(this.me, c.readSeq);
        c.unread = count ?? c.unread;
        return count !== null;
    }

    #changed(id, messageId, fields) {
        const c = this.get(id);
        if (!c)
            return false;
        c.history.change(messageId, fields);
        if (c.last?.id === messageId)
            c.last = {...c.last, ...fields};
        return !this.recount(c);
    }

    #known(id, peer, createdAt) {
        let c = this.#byId.get(id);
        if (!c) {
            c = new Conversation(id, peer, createdAt);
            this.#byId.set(id, c);
            this.#byPeer.set(peer.user_id, c);
        }
        return c;
    }
}
