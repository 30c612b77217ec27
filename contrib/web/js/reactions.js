// SPDX-License-Identifier: BSD-2-Clause
// The reactions of the user: adding and taking back, which shows at once and is put right by the server's answer; and which
// of the many of a kind is the user's own, where a message does not tell.

export const KINDS_MAX = 20; // of a message, of the protocol
export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🙏'];

const OWN_MAX = 5000;
const ASKED_PAGE = 100; // of the protocol: so many of a kind are looked through for the user's own

export class Reactions {
    #client;
    #conversations;
    #me;
    #changed;
    #own = new Map(); // "message emoji" -> whether there is one of the user's
    #asked = new Set(); // "message emoji"
    #queues = new Map(); // message id -> {last: a promise, count}

    // changed(): a message has other reactions
    constructor(client, conversations, me, changed) {
        this.#client = client;
        this.#conversations = conversations;
        this.#me = me;
        this.#changed = changed;
    }

    // Whether one of this kind is the user's; null: not known.
    isOwn({id}, {emoji, count, user_ids}) {
        if (user_ids.includes(this.#me))
            return true;
        return count <= user_ids.length ? false : this.#own.get(`${id} ${emoji}`) ?? null;
    }

    #note(messageId, emoji, own) {
        const key = `${messageId} ${emoji}`;
        this.#own.delete(key);
        this.#own.set(key, own);
        if (this.#own.size > OWN_MAX)
            this.#own.delete(this.#own.keys().next().value);
    }

    // An event `reaction`.
    heard(event) {
        if (event.user_id === this.#me)
            this.#note(event.message_id, event.emoji, event.added);
        this.#conversations.reacted(event);
    }

    // Looks for the user's own among the first of each kind of which that is not known.
    want(message) {
        for (const kind of message.reactions ?? []) {
            const key = `${message.id} ${kind.emoji}`;
            if (this.isOwn(message, kind) === null && !this.#asked.has(key)) {
                this.#asked.add(key);
                this.#ask(message, kind.emoji).catch(() => this.#asked.delete(key));
            }
        }
    }

    async #ask(message, emoji) {
        const {items, next_cursor} = await this.#client.rest.reactions(message.id, {emoji, limit: ASKED_PAGE});
        const own = items.some(({user_id}) => user_id === this.#me);
        if (own || next_cursor === null) {
            this.#note(message.id, emoji, own);
            this.#changed();
        }
    }

    // Adds one of this kind, or takes it back. Rejects with a Problem; then all is as before.
    toggle(message, emoji) {
        const kind = message.reactions.find((r) => r.emoji === emoji) ?? {emoji, count: 0, user_ids: []};
        const own = this.isOwn(message, kind);
        const added = own !== true;
        this.#apply(message, emoji, added, kind.count + (own === null ? 0 : added ? 1 : -1));
        return this.#inTurn(message.id, async (isLast) => {
            try {
                const reactions = await (added ? this.#client.react(message.id, emoji) : this.#client.unreact(message.id, emoji));
                if (isLast())
                    this.#show(message, reactions);
            } catch (problem) {
                this.#apply(message, emoji, !added, kind.count);
                this.#repair(message);
                throw problem;
            }
        });
    }

    #apply(message, emoji, added, count) {
        this.#note(message.id, emoji, added);
        this.#conversations.reacted({conversation_id: message.conversation_id, message_id: message.id, user_id: this.#me, emoji, added, count});
        this.#changed();
    }

    #show({conversation_id, id}, reactions) {
        this.#conversations.change(conversation_id, id, {reactions});
        this.#changed();
    }

    // What others did meanwhile was told, and then undone with what failed here.
    async #repair(message) {
        const {moment} = this.#client;
        try {
            this.#show(message, this.#client.withReactions(await this.#client.rest.message(message.id), moment).reactions);
        } catch {
            // without a connection; the next catching up tells
        }
    }

    // What is done to one message is done one after the other. work(isLast).
    #inTurn(id, work) {
        const queue = this.#queues.get(id) ?? {last: Promise.resolve(), count: 0};
        this.#queues.set(id, queue);
        const number = ++queue.count;
        const done = queue.last.then(() => work(() => number === queue.count));
        queue.last = done.catch(() => {}).then(() => number === queue.count && this.#queues.delete(id));
        return done;
    }
}
