// SPDX-License-Identifier: BSD-2-Clause
// What was written here and is not stored by the server: waiting in the client's outbox, or refused by the server, in
// which case it is kept until the user sends it again or gives it up.

import {now} from './clock.js';
import {keyOfDraft} from './room_key.js';

export class Outgoing {
    #storage;
    #key;
    #items = new Map(); // client_msg_id -> {draft, at, problem: null or {code, detail}, upload: of a file that is not there yet}

    constructor(storage, userId) {
        this.#storage = storage;
        this.#key = `tidings-web:${userId}:failed`;
        const kept = storage.getJson(this.#key);
        for (const item of Array.isArray(kept) ? kept : []) {
            if (typeof item?.draft?.client_msg_id === 'string' && typeof item.at === 'string' && item.problem)
                this.#items.set(item.draft.client_msg_id, item);
        }
    }

    // Those of one conversation (Conversation.key), in the order of writing.
    to(key) {
        return [...this.#items.values()].filter(({draft}) => keyOfDraft(draft) === key);
    }

    // The client_msg_ids of those that were not refused.
    get waiting() {
        return [...this.#items].filter(([, item]) => item.problem === null).map(([id]) => id);
    }

    // Those whose file is not with the server.
    get uploads() {
        return [...this.#items.values()].filter((item) => item.upload);
    }

    // A file (file_sending.js) is on its way. Returns the item.
    begun(draft, upload, at) {
        const item = {draft, at, problem: null, upload};
        this.#items.set(draft.client_msg_id, item);
        return item;
    }

    queued(draft) {
        const known = this.#items.get(draft.client_msg_id);
        const at = known?.at ?? new Date(now()).toISOString();
        if (!known?.upload) // else it stays among the others that were chosen with it
            this.#items.delete(draft.client_msg_id);
        this.#items.set(draft.client_msg_id, {draft, at, problem: null});
        this.#save();
    }

    refused(draft, {code, detail}, upload = null) {
        const at = this.#items.get(draft.client_msg_id)?.at ?? new Date(now()).toISOString();
        this.#items.set(draft.client_msg_id, {draft, at, problem: {code, detail}, ...upload && {upload}});
        this.#save();
    }

    // Stored, or given up.
    done(clientMsgId) {
        if (this.#items.delete(clientMsgId))
            this.#save();
    }

    #save() {
        this.#storage.setJson(this.#key, [...this.#items.values()].filter((item) => item.problem !== null && !item.upload)); // a file cannot be kept
    }
}

// What was typed and not sent, of each conversation, by Conversation.key. The server has the text of most of it as well;
// what it had when one was changed last is kept with it, to tell later who has changed it since.
export class Drafts {
    #storage;
    #key;
    #byRoom;

    constructor(storage, userId) {
        this.#storage = storage;
        this.#key = `tidings-web:${userId}:drafts`;
        this.#byRoom = new Map(Object.entries(storage.getJson(this.#key) ?? {}).filter(([, d]) => typeof d?.text === 'string'));
    }

    // {text, replyTo, chosen}, or null. chosen: [[label, user id]], whom the user has picked to mention.
    of(room) {
        const draft = this.#byRoom.get(room) ?? null;
        return draft === null || isEmpty(draft) ? null : draft;
    }

    // What the server had as the user's draft when the one here was the same, or was begun: '' for none.
    baseOf(room) {
        return this.#byRoom.get(room)?.base ?? '';
    }

    set(room, draft, base = this.baseOf(room)) {
        if (isEmpty(draft) && base === '')
            this.#byRoom.delete(room);
        else
            this.#byRoom.set(room, {...draft, base});
        this.#storage.setJson(this.#key, Object.fromEntries(this.#byRoom));
    }
}

function isEmpty({text, replyTo}) {
    return text.trim() === '' && (replyTo ?? null) === null;
}
