// SPDX-License-Identifier: BSD-2-Clause
// What the page knows: conversations and the loaded part of their messages. Touches neither network nor page.
// All is merged by conversation, seq and change_seq, so that what comes twice changes nothing.

export class Store {
    me = null;
    cursor = null; // of POST /messages/sync
    conversations = new Map(); // id -> conversation

    // Takes a Conversation of the server. What it says is newer than what we have.
    putConversation(c) {
        let known = this.conversations.get(c.id);
        if (!known) {
            known = {id: c.id, messages: new Map(), pending: [], loaded: false, hasMore: true, seq: 0, typingUntil: 0};
            this.conversations.set(c.id, known);
        }
        known.peer = {...known.peer, ...c.peer};
        known.last = c.last_message;
        known.time = c.last_message_time ?? c.created_at;
        known.unread = c.unread_count;
        known.readSeq = c.read_seq;
        known.peerReadSeq = c.peer_read_seq;
        known.changeSeq = c.change_seq;
        // With messages loaded, seq goes up only by messages that came, or a hole would stay unseen.
        if (!known.loaded)
            known.seq = Math.max(known.seq, c.last_message?.seq ?? 0);
        else if (known.messages.has(c.last_message?.seq))
            known.messages.set(c.last_message.seq, c.last_message);
        return known;
    }

    // A message as it is now, from an event, an answer or history. Returns its conversation, or null if unknown.
    putMessage(m) {
        const c = this.conversations.get(m.conversation_id);
        if (!c)
            return null;
        c.pending = c.pending.filter((p) => p.client_msg_id !== m.client_msg_id || m.from_user_id !== this.me);
        if (c.loaded)
            c.messages.set(m.seq, m);
        if (!c.last || m.seq >= c.last.seq) {
            c.last = m;
            c.time = m.created_at > c.time ? m.created_at : c.time;
        }
        return c;
    }

    // A message that was sent just now. Returns 'unknown' without its conversation, 'gap' if others before it are
    // missing, else 'ok'.
    arrived(m) {
        const before = this.conversations.get(m.conversation_id)?.seq ?? 0;
        const c = this.putMessage(m);
        if (!c)
            return 'unknown';
        if (m.seq <= before)
            return 'ok';
        if (m.to_user_id === this.me)
            c.unread++;
        if (m.seq > before + 1)
            return 'gap';
        c.seq = m.seq;
        return 'ok';
    }

    find(conversationId, messageId) {
        const c = this.conversations.get(conversationId);
        if (!c)
            return null;
        for (const m of c.messages.values())
            if (m.id === messageId)
                return m;
        return c.last?.id === messageId ? c.last : null;
    }

    recall(conversationId, messageId, at) {
        const m = this.find(conversationId, messageId);
        if (!m)
            return;
        const gone = {...m, is_recalled: true, recalled_at: at, content: null, media_url: null, extra: null};
        const c = this.conversations.get(conversationId);
        if (!m.is_recalled && m.to_user_id === this.me && !m.is_read && m.seq > c.readSeq && c.unread > 0)
            c.unread--;
        this.#replace(c, gone);
    }

    markRead(conversationId, messageId, at) {
        const m = this.find(conversationId, messageId);
        if (m)
            this.#replace(this.conversations.get(conversationId), {...m, is_read: true, read_at: at});
    }

    // Takes away what the user deleted. The conversation's last message is then the newest one left that is known.
    remove(conversationId, messageId) {
        const m = this.find(conversationId, messageId);
        if (!m)
            return;
        const c = this.conversations.get(conversationId);
        c.messages.delete(m.seq);
        if (c.last?.id === messageId)
            c.last = this.sorted(c).at(-1) ?? null;
    }

    // Someone has read the conversation up to that seq.
    readUpTo(conversationId, readerId, seq) {
        const c = this.conversations.get(conversationId);
        if (!c)
            return;
        if (readerId === this.me)
            c.readSeq = Math.max(c.readSeq, seq);
        else
            c.peerReadSeq = Math.max(c.peerReadSeq, seq);
    }

    // One conversation of an answer to POST /messages/sync. Where it was cut, what was loaded is forgotten.
    putSynced(item) {
        const c = this.putConversation(item.conversation);
        if (item.has_more) {
            c.messages.clear();
            c.loaded = false;
        }
        for (const m of item.messages) {
            this.putMessage(m);
            c.seq = Math.max(c.seq, m.seq);
        }
        for (const change of item.changes) {
            if (change.kind === 'recalled')
                this.recall(c.id, change.message_id, change.at);
            else if (change.kind === 'read')
                this.markRead(c.id, change.message_id, change.at);
            else if (change.kind === 'deleted')
                this.remove(c.id, change.message_id);
        }
        Object.assign(c, {unread: item.conversation.unread_count, last: item.conversation.last_message});
        return c;
    }

    // A page of history.
    putHistory(c, page) {
        c.loaded = true;
        c.hasMore = page.has_more;
        for (const m of page.items)
            this.putMessage(m);
    }

    // What POST /messages/sync wants to know.
    have() {
        return this.list().slice(0, 200).map((c) => ({id: c.id, seq: c.seq, change_seq: c.changeSeq}));
    }

    list() {
        return [...this.conversations.values()].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
    }

    sorted(c) {
        return [...c.messages.values()].sort((a, b) => a.seq - b.seq);
    }

    #replace(c, m) {
        if (c.messages.has(m.seq))
            c.messages.set(m.seq, m);
        if (c.last?.id === m.id)
            c.last = m;
    }
}
