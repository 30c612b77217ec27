// SPDX-License-Identifier: BSD-2-Clause
// The pinned messages of conversations, as far as they were looked at: the one that was pinned last is the first.
import {isAdmin} from './group_rules.js';

const RELOAD_MS = 150; // several pins in a row are asked for once
const RELOAD_MS_A_MEMBER = 5; // so that not all members of a large group ask at once

export class Pins {
    #client;
    #changed;
    #lists = new Map(); // conversation id -> {messages, request, loading, again: what is on its way is old, failed}
    #open = null; // the conversation that is looked at
    #timer = null; // that one is asked for again
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

    // It is looked at; null: none is. Only of that one is anything asked: of others when they are looked at again.
    show(c) {
        this.#open = c;
        clearTimeout(this.#timer);
        this.#timer = null;
        return c === null ? null : this.#load(c);
    }

    // What fails is tried again after the next catching up.
    async #load(c) {
        const list = this.#listOf(c.id);
        const request = ++list.request;
        Object.assign(list, {loading: true, again: false, failed: false});
        const {moment} = this.#client;
        try {
            const items = await this.#pages(c, () => request === list.request);
            if (items === null)
                return;
            if (list.again)
                this.#loadSoon(c);
            else
                list.messages = items.map((m) => this.#client.withReactions(m, moment));
            this.#changed();
        } catch (problem) {
            if (request === list.request)
                list.failed = problem.transient;
            if (!problem.transient && problem.code !== 'not_found')
                console.warn(problem);
        } finally {
            list.loading &&= request !== list.request;
        }
    }

    // Null where nobody waits for them any more.
    async #pages(c, isWaitedFor) {
        const all = [];
        for (let cursor; cursor !== null;) {
            const {items, next_cursor} = await this.#client.rest.pins(c.id, {cursor});
            if (!isWaitedFor())
                return null;
            all.push(...items);
            cursor = next_cursor ?? null;
        }
        return all;
    }

    #loadSoon(c) {
        if (c !== this.#open)
            return;
        const spread = RELOAD_MS_A_MEMBER * (c.group?.member_count ?? 0);
        this.#timer ??= setTimeout(() => this.show(this.#open), RELOAD_MS + Math.random() * spread);
    }

    caughtUp() {
        if (this.#open !== null && this.#lists.get(this.#open.id)?.failed)
            this.#load(this.#open);
    }

    #listOf(id) {
        const list = this.#lists.get(id) ?? {messages: [], request: 0, loading: false, again: false, failed: false};
        this.#lists.set(id, list);
        return list;
    }

    // An event `pinned`. Only of a message that is not here the list has to be asked for.
    heard(c, {message_id, pinned}, message = c.byId(message_id) ?? null) {
        const list = this.#lists.get(c.id);
        if (list === undefined)
            return;
        const others = list.messages.filter(({id}) => id !== message_id);
        list.messages = pinned && message !== null ? [message, ...others] : others;
        list.again ||= list.loading;
        this.#changed();
        if (pinned && message === null)
            this.#loadSoon(c);
    }

    forget(c) {
        this.#lists.delete(c.id);
        if (c === this.#open)
            this.show(null);
    }

    // Rejects with a Problem, as the next does.
    async pin(c, message) {
        await this.#client.pin(message.id);
        this.heard(c, {message_id: message.id, pinned: true}, message);
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
