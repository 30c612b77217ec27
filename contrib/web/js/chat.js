// SPDX-License-Identifier: BSD-2-Clause
// One user's chat: the client, what is known, and what the user can do. Views read `conversations`, `people`, `notices`,
// `outgoing` and `drafts`, and hear through `changes` when to look again. Topics: state, conversations, timeline,
// people, notices; events for the user's eyes at once go to onNews.
import {TidingsClient} from '../client/index.js';
import {Changes} from './changes.js';
import {now, takeTimeFrom} from './clock.js';
import {Conversations} from './conversations.js';
import {Notices} from './notices.js';
import {Drafts, Outgoing} from './outgoing.js';
import {People} from './people.js';

const PAGE = 100;
const TYPING_EVERY_MS = 3000;
const TYPING_SHOWN_MS = 4500;
const REFRESH_MS = 300;
const READ_DELAY_MS = 150;
const LIMITED_TRIES = 10; // of a page of history that the server finds too many
const LIMITED_MAX_MS = 5000;
const RECALL_WINDOW_MS = 120000; // message.recall_window's default; the server has the last word

export class Chat {
    #client;
    #typingSentAt = 0;
    #typingTimers = new Map();
    #refreshTimer = null;
    #readTimer = null;
    #readWanted = new Map(); // Conversation -> seq
    changes = new Changes();
    conversations = new Conversations();
    state = {state: 'idle', reason: '', retryInMs: null};
    kickedReason = null;
    synced = false;
    profile;

    // onNews({kind: 'message' | 'notification', …}); onSignedOut() when the token is no longer taken.
    constructor({account, url, storage, onNews, onSignedOut}) {
        this.me = account.user_id;
        this.profile = {user_id: this.me, nickname: null, avatar_url: null};
        this.onNews = onNews;
        this.onSignedOut = onSignedOut;
        this.conversations.me = this.me;
        this.#client = new TidingsClient({url, token: account.token, userId: this.me, storage, storagePrefix: 'tidings-web:',
            resume: false, device: 'web'});
        takeTimeFrom(() => this.#client.serverTime);
        this.people = new People(this.#client, () => this.changes.changed('people', 'conversations'));
        this.notices = new Notices(this.#client.rest, () => this.changes.changed('notices'));
        this.outgoing = new Outgoing(storage, this.me);
        this.drafts = new Drafts(storage, this.me);
        this.#listen();
    }

    get rest() {
        return this.#client.rest;
    }

    start() {
        this.#client.connect();
    }

    // Also after "this account is being used elsewhere".
    useHere() {
        this.kickedReason = null;
        this.#client.connect();
    }

    async stop() {
        await this.#client.close();
    }

    // ---- what happens ----

    #listen() {
        const on = (name, handle, ...topics) => this.#client.on(name, (event) => {
            this.changes.changed(...topics); // gathered until this is done, and told whatever becomes of it
            handle(event);
        });
        on('state', (state) => this.#entered(state), 'state', 'timeline');
        on('synced', () => this.#caughtUp(), 'state', 'timeline');
        on('conversation', (c) => this.#shown(c), 'conversations', 'timeline');
        on('message', (m) => this.#heard(m), 'conversations', 'timeline');
        on('queued', (draft) => this.outgoing.queued(draft), 'timeline');
        on('ack', (ack) => this.#acked(ack), 'conversations', 'timeline');
        on('refused', ({draft, problem}) => this.outgoing.refused(draft, problem), 'timeline');
        on('recalled', (e) => this.#counted(this.conversations.recalled(e.conversation_id, e.message_id, e.recalled_at)),
            'conversations', 'timeline');
        on('deleted', (e) => this.#counted(this.conversations.deleted(e.conversation_id, e.message_id)),
            'conversations', 'timeline');
        on('read', (e) => this.#wasRead(e), 'conversations', 'timeline');
        on('typing', (e) => this.#typed(e), 'conversations');
        on('notification', (n) => this.#notified(n), 'notices');
        on('kicked', ({reason}) => {
            this.kickedReason = reason;
        }, 'state');
        this.#client.on('error', (error) => console.warn(error));
    }

    #entered(state) {
        this.state = state;
        this.synced = false;
        this.people.connected(state.state === 'online');
        if (state.state === 'online')
            this.kickedReason = null;
        this.#showUnsent();
        if (state.state === 'unauthorized')
            this.onSignedOut();
    }

    #caughtUp() {
        this.synced = true;
        this.#showUnsent();
        this.#quietly(Promise.all([this.people.load(), this.notices.load(), this.#loadProfile()]));
    }

    // An outbox that was stored is there without having been announced.
    #showUnsent() {
        this.#client.unsent.forEach((draft) => this.outgoing.queued(draft));
    }

    async #loadProfile() {
        this.profile = await this.rest.me();
        this.changes.changed('state');
    }

    #shown(shown) {
        this.conversations.put(shown);
        this.people.met(shown.peer);
    }

    #heard(message) {
        if (message.client_msg_id !== null && message.from_user_id === this.me)
            this.outgoing.done(message.client_msg_id);
        const known = this.conversations.get(message.conversation_id) !== null;
        const isNew = this.conversations.heard(message);
        if (!known)
            this.#refreshSoon();
        if (isNew && message.from_user_id !== this.me) {
            this.#showTyping(this.conversations.get(message.conversation_id), false);
            this.onNews({kind: 'message', message});
        }
    }

    #acked({client_msg_id, message}) {
        this.outgoing.done(client_msg_id);
        this.conversations.heard(message);
    }

    #wasRead({conversation_id, reader_id, up_to_seq, message_ids, read_at}) {
        if (up_to_seq !== null)
            this.#counted(this.conversations.readUpTo(conversation_id, reader_id, up_to_seq));
        for (const id of message_ids ?? [])
            this.#counted(this.conversations.messageRead(conversation_id, id, read_at));
    }

    #typed({conversation_id, user_id}) {
        const c = this.conversations.get(conversation_id);
        if (c && user_id !== this.me)
            this.#showTyping(c, true);
    }

    #showTyping(c, typing) {
        clearTimeout(this.#typingTimers.get(c.id));
        c.typing = typing;
        if (!typing)
            return;
        this.#typingTimers.set(c.id, setTimeout(() => {
            c.typing = false;
            this.changes.changed('conversations');
        }, TYPING_SHOWN_MS));
    }

    #notified(notification) {
        if (notification.kind.startsWith('friend_'))
            this.#quietly(this.people.load());
        if (notification.id !== null)
            this.notices.heard(notification);
        this.onNews({kind: 'notification', notification});
    }

    // ---- what is fetched ----

    #counted(unsure) {
        if (unsure)
            this.#refreshSoon();
    }

    // The list as the server has it, where events alone do not tell.
    #refreshSoon() {
        this.#refreshTimer ??= setTimeout(async () => {
            this.#refreshTimer = null;
            const page = await this.#quietly(this.rest.conversations({limit: 50}));
            page?.items.forEach((c) => this.#shown(c));
            this.changes.changed('conversations', 'timeline');
        }, REFRESH_MS);
    }

    // The conversation with that user; made if there is none. Rejects with a Problem.
    async conversationWith(userId) {
        const known = this.conversations.withPeer(userId);
        if (known)
            return known;
        this.#shown(await this.rest.createConversation(userId));
        this.changes.changed('conversations');
        return this.conversations.withPeer(userId);
    }

    // The newest page, or the one before what is here. Resolves when it is there or has failed, which the history tells.
    loadHistory(c) {
        c.history.loading ??= this.#loadPage(c).finally(() => {
            c.history.loading = null;
            this.changes.changed('timeline');
        });
        return c.history.loading;
    }

    async #loadPage(c) {
        const {history} = c;
        history.failed = false;
        this.changes.changed('timeline');
        try {
            const before = history.loaded ? history.firstSeq ?? undefined : undefined;
            const page = await this.#patiently(() => this.rest.history(c.id, {before, limit: PAGE}));
            history.putPage(page.items, page.has_more);
            this.conversations.recount(c);
        } catch {
            history.failed = true;
        }
    }

    // Many pages in a row may be too many at once for the server.
    async #patiently(request) {
        for (let tries = 1; ; tries++) {
            try {
                return await request();
            } catch (problem) {
                if (problem.code !== 'rate_limited' || tries >= LIMITED_TRIES)
                    throw problem;
                await new Promise((resolve) => setTimeout(resolve, Math.min(problem.retryAfterMs ?? 1000, LIMITED_MAX_MS)));
            }
        }
    }

    // What fails is tried again with the next catching up.
    async #quietly(promise) {
        try {
            return await promise;
        } catch (problem) {
            if (!problem.transient && !problem.aboutToken)
                console.warn(problem);
            return null;
        }
    }

    // ---- what the user does ----

    // message: {type, content, media_url, extra, reply_to}
    send(peerId, message) {
        this.#client.send({to: peerId, ...message});
    }

    resend({draft: {to_user_id, message_type, ...rest}}) {
        this.#client.send({to: to_user_id, type: message_type, ...rest});
    }

    discard({draft, problem}) {
        if (problem === null && !this.#client.cancel(draft.client_msg_id))
            return;
        this.outgoing.done(draft.client_msg_id);
        this.changes.changed('timeline');
    }

    canRecall(message) {
        return message.from_user_id === this.me && !message.is_recalled &&
            now() - Date.parse(message.created_at) < RECALL_WINDOW_MS;
    }

    async recall(message) {
        const {recalled_at} = await this.#client.recall(message.id);
        this.#counted(this.conversations.recalled(message.conversation_id, message.id, recalled_at));
        this.changes.changed('conversations', 'timeline');
    }

    async deleteForMe(message) {
        await this.#client.delete(message.id);
        this.#counted(this.conversations.deleted(message.conversation_id, message.id));
        this.changes.changed('conversations', 'timeline');
    }

    // The user has seen everything up to that seq. The server is told a moment later, once for several.
    sawUpTo(c, seq) {
        if (seq <= c.readSeq || this.state.state === 'replaced')
            return;
        c.readSeq = seq;
        this.conversations.recount(c);
        this.changes.changed('conversations');
        this.#readWanted.set(c, seq);
        this.#readTimer ??= setTimeout(() => {
            this.#readTimer = null;
            this.#readWanted.forEach((upTo, {id}) => this.#client.markRead(id, upTo));
            this.#readWanted.clear();
        }, READ_DELAY_MS);
    }

    typing(c) {
        if (Date.now() - this.#typingSentAt < TYPING_EVERY_MS || !this.people.isFriend(c.peer.user_id))
            return;
        this.#typingSentAt = Date.now();
        this.#client.typing(c.id);
    }

    saveDraft(peerId, draft) {
        this.drafts.set(peerId, draft);
        this.changes.changed('conversations');
    }

    async updateProfile(fields) {
        this.profile = await this.rest.updateMe(fields);
        this.changes.changed('state');
    }

    // Something about friendship: name is a method of the REST client. Rejects with a Problem.
    async befriend(name, ...args) {
        try {
            return await this.rest[name](...args);
        } finally {
            this.#quietly(this.people.load());
        }
    }
}
