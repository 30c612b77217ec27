// SPDX-License-Identifier: BSD-2-Clause
// Decides what of a chat is kept for reading without the server (offline_store.js), and brings it back when the page begins.
// What was brought back is a copy: it is shown until the server has told how things are now.
import {now} from './clock.js';
import {forgetCopy, storeCopy} from './offline_store.js';

const CONVERSATIONS_MAX = 50;
const MESSAGES_MAX = 100; // of a conversation
const CHARACTERS_MAX = 200000; // of a conversation's messages, as JSON
const FRIENDS_MAX = 500;
const DELAY_MS = 1000;

function expired({expires_at: at}, time) {
    return at !== null && at !== undefined && Date.parse(at) <= time;
}

// As the server shows a conversation.
export function shownOf(c) {
    return {id: c.id, kind: c.isGroup ? 'group' : 'direct', peer: c.peer, group: c.group, last_message: c.last, last_message_time: c.time,
        unread_count: c.unread, mention_count: c.mentions, read_seq: c.readSeq, peer_read_seq: c.peerReadSeq, peer_delivered_seq: c.peerDeliveredSeq,
        first_seq: c.firstSeq, settings: c.settings, created_at: c.createdAt};
}

// The newest of its messages, as many as may be kept.
export function newestOf(messages, time) {
    const kept = [];
    let size = 0;
    for (const message of messages.slice(-MESSAGES_MAX).reverse()) {
        size += JSON.stringify(message).length;
        if (size > CHARACTERS_MAX)
            break;
        kept.unshift(message);
    }
    return kept.filter((message) => !expired(message, time));
}

// Those that were active last.
function worthKeeping(conversations) {
    return conversations.all().filter((c) => !c.isCleared).sort((a, b) => (a.sortTime < b.sortTime ? 1 : -1)).slice(0, CONVERSATIONS_MAX);
}

export class OfflineCopy {
    #chat;
    #stored = new Map(); // conversation id -> what its row was made of
    #storedPeople = '';
    #timer = null;
    #storing = Promise.resolve();
    #ended = false; // nothing more is written
    #onHide = () => document.visibilityState === 'hidden' && this.#store();

    // copy: what is stored now (loadCopy()), or null.
    constructor(chat, copy) {
        this.#chat = chat;
        copy?.conversations.forEach(({id}) => this.#stored.set(id, ''));
        chat.changes.listen((topics) => {
            if (topics.has('conversations') || topics.has('timeline') || topics.has('people'))
                this.#timer ??= setTimeout(() => this.#store(), DELAY_MS);
        });
        document.addEventListener('visibilitychange', this.#onHide);
    }

    // Resolves when nothing more is written.
    end() {
        this.#ended = true;
        clearTimeout(this.#timer);
        document.removeEventListener('visibilitychange', this.#onHide);
        return this.#storing;
    }

    // Only what the server has confirmed is written, and of that what has changed.
    #store() {
        clearTimeout(this.#timer);
        this.#timer = null;
        if (this.#ended || !this.#chat.wasSynced)
            return;
        const {conversations, people, me} = this.#chat;
        const time = now();
        const kept = worthKeeping(conversations);
        const rows = kept.map((c) => this.#rowOf(c, time)).filter(Boolean);
        const ids = new Set(kept.map(({id}) => id));
        const gone = [...this.#stored.keys()].filter((id) => !ids.has(id));
        gone.forEach((id) => this.#stored.delete(id));
        const known = {profile: this.#chat.profile, friends: [...people.friends.values()].slice(0, FRIENDS_MAX), met: this.#met(kept)};
        const isSame = JSON.stringify(known) === this.#storedPeople;
        this.#storedPeople = JSON.stringify(known);
        if (!isSame || rows.length > 0 || gone.length > 0)
            this.#storing = this.#storing.then(() => this.#write(me, known, rows, gone));
    }

    // Without room for what is new nothing is kept: the old would show what was recalled since.
    async #write(me, ...what) {
        if (this.#ended || await storeCopy(me, ...what))
            return;
        this.#ended = true;
        await forgetCopy(me);
    }

    // Null where its row says the same already.
    #rowOf(c, time) {
        const shown = shownOf(c);
        const state = `${c.history.loaded ? c.history.changes : '-'} ${JSON.stringify(shown)}`;
        if (this.#stored.get(c.id) === state)
            return null;
        this.#stored.set(c.id, state);
        const messages = c.history.loaded ? newestOf(c.history.messages, time) : [];
        return {id: c.id, shown, messages, hasOlder: c.history.hasOlder || messages.length < c.history.messages.length};
    }

    // Whose names are shown there.
    #met(kept) {
        const ids = new Set(kept.flatMap((c) => [c.last, ...c.history.messages.slice(-MESSAGES_MAX)].filter(Boolean).map((m) => m.from_user_id)));
        return [...ids].map((id) => this.#chat.people.profile(id));
    }
}

// Brings a copy (loadCopy()) back into a chat that has just begun.
export function restoreCopy(chat, copy) {
    const time = now();
    if (copy.people) {
        copy.people.met.forEach((profile) => chat.people.met(profile));
        chat.people.restore(copy.people.friends);
        chat.profile = copy.people.profile;
    }
    for (const {shown, messages, hasOlder} of copy.conversations) {
        const last = shown.last_message !== null && expired(shown.last_message, time) ? null : shown.last_message;
        chat.conversations.putCopy({...shown, last_message: last}, messages.filter((message) => !expired(message, time)), hasOlder);
    }
    chat.changes.changed('state', 'conversations', 'timeline', 'people');
}
