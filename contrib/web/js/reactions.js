// SPDX-License-Identifier: BSD-2-Clause
// The reactions of the user: adding and taking back, which shows at once and is put right by the server's answer; and which
// of the many of a kind is the user's own, where a message does not tell.

export const KINDS_MAX = 20; // of a message, of the protocol
export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🙏'];

const NAMED_MAX = 5; // of a kind, of the protocol
const OWN_MAX = 5000;
const WANTED_MAX = 50; // the messages that were wanted last
const LOOKUPS_MAX = 4; // at a time
const LOOKUP_AGAIN_MS = 3000; // after one that failed

export class Reactions {
    #client;
    #conversations;
    #me;
    #changed;
    #own = new Map(); // "message emoji" -> whether there is one of the user's; the oldest first
    #wanted = new Map(); // message id -> message, of those of which that is to be asked; wanted last: the last
    #learning = new Map(); // message id -> a promise
    #lookups = 0; // under way
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
        const {message_id, user_id, emoji, added, count} = event;
        if (user_id === this.#me)
            this.#note(message_id, emoji, added);
        else if (count > NAMED_MAX)
            this.#keep(event);
        this.#conversations.reacted(event);
    }

    // What is known by all who are named need not be asked when they are too many to be named.
    #keep({conversation_id, message_id, emoji}) {
        const message = this.#conversations.messageOf({conversation_id, id: message_id});
        const own = message === null ? null : this.isOwn(message, kindOf(message, emoji));
        if (own !== null && this.#own.get(`${message_id} ${emoji}`) !== own)
            this.#note(message_id, emoji, own);
    }

    // Asks for the user's own where the message does not tell. Of many that are wanted at once the last are asked first, and the
    // first are left until they are wanted again, as is what fails.
    want(message) {
        if (!this.#isWanting(message))
            return;
        this.#wanted.delete(message.id);
        this.#wanted.set(message.id, message);
        if (this.#wanted.size > WANTED_MAX)
            this.#wanted.delete(this.#wanted.keys().next().value);
        this.#lookUp();
    }

    #isWanting(message) {
        return !message.is_recalled && (message.reactions ?? []).some((kind) => this.isOwn(message, kind) === null);
    }

    #lookUp() {
        while (this.#lookups < LOOKUPS_MAX && this.#wanted.size > 0) {
            const [id, message] = [...this.#wanted].at(-1);
            this.#wanted.delete(id);
            if (!this.#isWanting(message))
                continue;
            this.#lookups++;
            this.#learn(message).then(() => 0, () => LOOKUP_AGAIN_MS).then((wait) => setTimeout(() => {
                this.#lookups--;
                this.#lookUp();
            }, wait));
        }
    }

    // Which kinds the user has reacted with: one request, however many others there are.
    #learn(message) {
        const learning = this.#learning.get(message.id) ?? this.#ask(message).finally(() => this.#learning.delete(message.id));
        this.#learning.set(message.id, learning);
        return learning;
    }

    // What was done meanwhile is newer than the answer.
    async #ask(message) {
        const {id} = message;
        const {items} = await this.#client.rest.reactions(id, {user_id: this.#me, limit: KINDS_MAX});
        const own = new Set(items.map(({emoji}) => emoji));
        const now = this.#conversations.messageOf(message) ?? message;
        for (const kind of now.reactions ?? []) {
            if (this.isOwn(now, kind) === null)
                this.#note(id, kind.emoji, own.has(kind.emoji));
        }
        this.#changed();
    }

    // Adds one of this kind, or takes it back. Rejects with a Problem; then all is as before.
    async toggle(message, emoji) {
        if (this.isOwn(message, kindOf(message, emoji)) === null) {
            await this.#learn(message);
            message = this.#conversations.messageOf(message) ?? message;
        }
        const kind = kindOf(message, emoji);
        const added = this.isOwn(message, kind) !== true;
        this.#apply(message, emoji, added, kind.count + (added ? 1 : -1));
        return this.#inTurn(message.id, async (isLast) => {
            try {
                const reactions = await (added ? this.#client.react(message.id, emoji) : this.#client.unreact(message.id, emoji));
                if (isLast())
                    this.#show(message, reactions);
            } catch (problem) {
                this.#apply(message, emoji, !added, kind.count);
                if (problem.transient)
                    this.#own.delete(`${message.id} ${emoji}`); // it may have been done
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

    // An answer may come after the message was recalled.
    #show({conversation_id, id}, reactions) {
        if (this.#conversations.messageOf({conversation_id, id})?.is_recalled)
            return;
        this.#conversations.change(conversation_id, id, {reactions});
        this.#changed();
    }

    // What others did meanwhile was told, and then undone with what failed here.
    async #repair(message) {
        const {moment} = this.#client;
        try {
            this.#show(message, this.#client.withReactions(await this.#client.rest.message(message.id), moment).reactions);
            this.want(this.#conversations.messageOf(message) ?? message);
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

function kindOf({reactions}, emoji) {
    return (reactions ?? []).find((r) => r.emoji === emoji) ?? {emoji, count: 0, user_ids: []};
}
