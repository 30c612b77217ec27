// SPDX-License-Identifier: BSD-2-Clause
// What the application wants sent, until it is acknowledged or refused. Each message keeps its client_msg_id, with
// which the server stores it once however often it is sent. To one recipient, a user or a group, they go one after the
// other, so that they arrive in the order they were written, whatever fails in between.
import {Backoff} from './backoff.js';
import {Problem} from './problem.js';

export function randomId() {
    if (globalThis.crypto?.getRandomValues) {
        const bytes = crypto.getRandomValues(new Uint8Array(16));
        return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
    }
    const part = () => Math.floor(Math.random() * 2 ** 48).toString(16).padStart(12, '0');
    return part() + part() + part();
}

// What a storage gives may have been written by anyone.
function isDraft(draft) {
    return typeof (draft?.to_user_id ?? draft?.conversation_id) === 'string' && typeof draft.client_msg_id === 'string';
}

// A user's id may look like a conversation's.
const recipientOf = (draft) => draft.to_user_id == null ? `conversation ${draft.conversation_id}` : `user ${draft.to_user_id}`;

export class Outbox {
    #transmit;
    #store;
    #on;
    #backoffOptions;
    #queues = new Map(); // recipientOf(draft) -> {entries, busy, backoff, timer}
    #up = false;
    #abandoned = null; // a Problem, once nothing will be sent any more

    // transmit(message, apart) resolves to {message, replayed}; apart: not over the WebSocket. store() resolves when
    // what list() gives is kept. on.queued(message), on.acked({client_msg_id, message, replayed}),
    // on.refused({client_msg_id, draft, problem}).
    constructor({transmit, store, backoff, on}) {
        this.#transmit = transmit;
        this.#store = store;
        this.#backoffOptions = backoff;
        this.#on = on;
    }

    // The messages that are neither acknowledged nor refused; of one recipient in the order of sending.
    list() {
        return [...this.#queues.values()].flatMap((q) => q.entries.map((e) => e.draft));
    }

    // From what list() gave in an earlier life; they go before what was added in this one.
    restore(drafts) {
        const later = this.#queues;
        this.#queues = new Map();
        for (const draft of drafts.filter(isDraft))
            this.#enqueue(draft);
        for (const {entries} of later.values())
            entries.forEach((entry) => this.#queueTo(recipientOf(entry.draft)).entries.push(entry));
        this.#pumpAll();
    }

    // draft: the body of POST /messages/send. {client_msg_id, done}; done resolves to the stored message.
    add(draft) {
        const client_msg_id = draft.client_msg_id ?? randomId();
        if (this.#abandoned !== null) {
            const done = Promise.reject(this.#abandoned);
            done.catch(() => {});
            return {client_msg_id, done};
        }
        const entry = this.#enqueue({...draft, client_msg_id});
        entry.ready = false;
        const ready = () => {
            entry.ready = true;
            this.#pump(recipientOf(entry.draft));
        };
        this.#keep().then(ready);
        this.#on.queued(entry.draft);
        return {client_msg_id: entry.draft.client_msg_id, done: entry.done};
    }

    // Takes back what has not been tried yet; false for anything else.
    cancel(clientMsgId) {
        for (const queue of this.#queues.values()) {
            const at = queue.entries.findIndex((e) => e.draft.client_msg_id === clientMsgId);
            if (at < 0)
                continue;
            const entry = queue.entries[at];
            if (entry.tried)
                return false;
            queue.entries.splice(at, 1);
            this.#keep();
            entry.reject(new Problem('cancelled'));
            return true;
        }
        return false;
    }

    // Connected, or no longer.
    resume() {
        this.#up = true;
        this.#pumpAll();
    }

    pause() {
        this.#up = false;
        for (const queue of this.#queues.values())
            clearTimeout(queue.timer);
    }

    // The server could not take a frame of ours. What was under way is sent by REST from now on, where each request
    // gets a verdict of its own.
    suspect() {
        for (const {busy, entries} of this.#queues.values()) {
            if (busy)
                entries[0].apart = true;
        }
    }

    // Nothing will be sent any more in this life.
    abandon(problem) {
        this.pause();
        this.#abandoned = problem;
        for (const {entries} of this.#queues.values())
            entries.forEach((e) => e.reject(problem));
    }

    #queueTo(recipient) {
        let queue = this.#queues.get(recipient);
        if (!queue) {
            queue = {entries: [], busy: false, backoff: new Backoff(this.#backoffOptions), timer: null};
            this.#queues.set(recipient, queue);
        }
        return queue;
    }

    #enqueue(draft) {
        const entry = {draft, ready: true, tried: false, apart: false};
        entry.done = new Promise((resolve, reject) => Object.assign(entry, {resolve, reject}));
        entry.done.catch(() => {}); // whoever does not ask is told by the event
        this.#queueTo(recipientOf(draft)).entries.push(entry);
        return entry;
    }

    // What cannot be kept is sent all the same.
    async #keep() {
        try {
            await this.#store();
        } catch {
            // who keeps it tells
        }
    }

    #pumpAll() {
        for (const recipient of this.#queues.keys())
            this.#pump(recipient);
    }

    async #pump(recipient) {
        const queue = this.#queues.get(recipient);
        const entry = queue?.entries[0];
        if (!this.#up || !entry?.ready || queue.busy)
            return;
        clearTimeout(queue.timer);
        queue.busy = true;
        entry.tried = true;
        try {
            const answer = await this.#transmit(entry.draft, entry.apart);
            this.#leave(queue, entry);
            entry.resolve(answer.message);
            this.#on.acked({client_msg_id: entry.draft.client_msg_id, ...answer});
        } catch (problem) {
            if (problem.transient || problem.aboutToken) {
                this.#again(recipient, queue, problem);
                return;
            }
            this.#leave(queue, entry);
            entry.reject(problem);
            this.#on.refused({client_msg_id: entry.draft.client_msg_id, draft: entry.draft, problem});
        }
        this.#pump(recipient);
    }

    #leave(queue, entry) {
        queue.busy = false;
        queue.backoff.reset();
        queue.entries.splice(queue.entries.indexOf(entry), 1);
        if (queue.entries.length === 0)
            this.#queues.delete(recipientOf(entry.draft));
        this.#keep();
    }

    // Where the connection is gone resume() follows; else the server asked for a moment.
    #again(recipient, queue, problem) {
        queue.busy = false;
        const delayMs = Math.max(queue.backoff.next(), problem.retryAfterMs ?? 0);
        clearTimeout(queue.timer);
        if (this.#up)
            queue.timer = setTimeout(() => this.#pump(recipient), delayMs);
    }
}
