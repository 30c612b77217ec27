// SPDX-License-Identifier: BSD-2-Clause
// What was written here and is not stored by the server: waiting in the client's outbox, or refused by the server, in
// which case it is kept until the user sends it again or gives it up.

import {now} from './clock.js';

export class Outgoing {
    #storage;
    #key;
    #items = new Map(); // client_msg_id -> {draft, at, problem: null or {code, detail}}

    constructor(storage, userId) {
        this.#storage = storage;
        this.#key = `tidings-web:${userId}:failed`;
        const kept = storage.getJson(this.#key);
        for (const item of Array.isArray(kept) ? kept : []) {
            if (typeof item?.draft?.client_msg_id === 'string' && typeof item.at === 'string' && item.problem)
                this.#items.set(item.draft.client_msg_id, item);
        }
    }

    // Those to one recipient, in the order of writing.
    to(userId) {
        return [...this.#items.values()].filter(({draft}) => draft.to_user_id === userId);
    }

    get waiting() {
        return [...this.#items.values()].filter((item) => item.problem === null).length;
    }

    queued(draft) {
        const at = this.#items.get(draft.client_msg_id)?.at ?? new Date(now()).toISOString();
        this.#items.delete(draft.client_msg_id);
        this.#items.set(draft.client_msg_id, {draft, at, problem: null});
        this.#save();
    }

    refused(draft, {code, detail}) {
        const at = this.#items.get(draft.client_msg_id)?.at ?? new Date(now()).toISOString();
        this.#items.set(draft.client_msg_id, {draft, at, problem: {code, detail}});
        this.#save();
    }

    // Stored, or given up.
    done(clientMsgId) {
        if (this.#items.delete(clientMsgId))
            this.#save();
    }

    #save() {
        this.#storage.setJson(this.#key, [...this.#items.values()].filter((item) => item.problem !== null));
    }
}

// What was typed and not sent, of each conversation.
export class Drafts {
    #storage;
    #key;
    #byPeer;

    constructor(storage, userId) {
        this.#storage = storage;
        this.#key = `tidings-web:${userId}:drafts`;
        this.#byPeer = new Map(Object.entries(storage.getJson(this.#key) ?? {}).filter(([, d]) => typeof d?.text === 'string'));
    }

    // {text, replyTo}, or null.
    of(peerId) {
        return this.#byPeer.get(peerId) ?? null;
    }

    set(peerId, draft) {
        if (draft.text.trim() === '' && draft.replyTo === null)
            this.#byPeer.delete(peerId);
        else
            this.#byPeer.set(peerId, draft);
        this.#storage.setJson(this.#key, Object.fromEntries(this.#byPeer));
    }
}
