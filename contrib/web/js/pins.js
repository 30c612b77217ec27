// SPDX-License-Identifier: BSD-2-Clause
// The pinned messages of conversations, as far as they were looked at: the one that was pinned last is the first.
import {isAdmin} from './group_rules.js';

const RELOAD_MS = 150; // several pins in a row are asked for once

export class Pins {
    #client;
    #changed;
    #lists = new Map(); // conversation id -> {messages, request, timer, failed: the conversation, if it is to be asked again}
    #seen; // message -> as it is shown, or null where it is gone

    // changed(): a list is another; now(message): the message as it is known, or null where it is gone
    constructor(client, changed, now) {
        this.#client = client;
        this.#changed = changed;
        this.#seen = now;
    }

    // Messages as they are now.
    of(c) {
        return (this.#lists.get(c.id)?.messages ?? []).map((m) => this.#seen(m)).filter((m) => m !== null && !m.is_recalled);
    }

    has(message) {
        return this.#lists.get(message.conversation_id)?.messages.some(({id}) => id === message.id) ?? false;
    }

    // From now on it is followed. What fails is tried again after the next catching up.
    async load(c) {
        const list = this.#listOf(c.id);
        const request = ++list.request;
        const {moment} = this.#client;
        try {
            const {items} = await this.#client.rest.pins(c.id);
            if (request !== list.request)
                return;
            list.failed = null;
            list.messages = items.map((m) => this.#client.withReactions(m, moment));
            this.#changed();
        } catch (problem) {
            list.failed = problem.transient ? c : null;
            if (!problem.transient && problem.code !== 'not_found')
                console.warn(problem);
        }
    }

    caughtUp() {
        [...this.#lists.values()].filter(({failed}) => failed !== null).forEach(({failed}) => this.load(failed));
    }

    #listOf(id) {
        const list = this.#lists.get(id) ?? {messages: [], request: 0, timer: null, failed: null};
        this.#lists.set(id, list);
        return list;
    }

    // An event `pinned`.
    heard(c, {message_id, pinned}) {
        const list = this.#lists.get(c.id);
        if (list === undefined)
            return;
        if (!pinned) {
            list.messages = list.messages.filter(({id}) => id !== message_id);
            this.#changed();
        }
        clearTimeout(list.timer);
        list.timer = setTimeout(() => this.load(c), RELOAD_MS);
    }

    forget(c) {
        clearTimeout(this.#lists.get(c.id)?.timer);
        this.#lists.delete(c.id);
    }

    // Rejects with a Problem, as the next does.
    async pin(c, message) {
        await this.#client.pin(message.id);
        const list = this.#listOf(c.id);
        list.request++;
        list.messages = [message, ...list.messages.filter(({id}) => id !== message.id)];
        this.#changed();
    }

    async unpin(c, message) {
        await this.#client.unpin(message.id);
        this.heard(c, {message_id: message.id, pinned: false});
    }
}

// Both sides of a direct conversation, admins in a group. canWrite: whether the user may send there.
export function mayPin(c, canWrite) {
    return c.isGroup ? c.gone === null && c.group !== null && c.group.dissolved_at === null && isAdmin(c.group) : canWrite;
}

export function mayUnpin(c) {
    return !c.isGroup || mayPin(c);
}
