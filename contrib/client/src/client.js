// SPDX-License-Identifier: BSD-2-Clause
// Puts the parts together: the connection says when there is a server, the outbox sends, the ledger puts what comes in
// order, catching up fills what is missing.
import {CatchUp} from './catch_up.js';
import {isOurFault} from './close_codes.js';
import {Connection} from './connection.js';
import {Deliveries} from './deliveries.js';
import {Emitter} from './emitter.js';
import {Ledger} from './ledger.js';
import {Login} from './login.js';
import {Outbox, randomId} from './outbox.js';
import {Problem} from './problem.js';
import {Rest} from './rest.js';
import {Slot} from './slot.js';
import {Tokens} from './tokens.js';
import {Uploads, extraOf, messageTypeOf} from './upload.js';

const TIMING = {connectMs: 15000, answerMs: 15000, pingMs: 6000, requestMs: 30000, stableMs: 5000, gapMs: 200, heartbeatMs: null};
const POSITIONS_DELAY_MS = 100;
const OFFLINE_MS = 2500; // the browser says that there is no network: the server has so long to show otherwise
// Reasons of `kicked` after which the token is of no use any more.
const LOGIN_ENDS = new Set(['logged_out', 'token_reused', 'password_changed', 'too_many_logins', 'revoked', 'disabled', 'erased']);
const SCHEMES = {'http:': 'http:', 'https:': 'https:', 'ws:': 'http:', 'wss:': 'https:'};

// The server's address for REST calls. Whoever names it by that of its WebSocket means the same server.
function baseOf(url) {
    const base = new URL(url, globalThis.location?.href);
    const scheme = SCHEMES[base.protocol];
    if (scheme === undefined || base.username !== '' || base.password !== '')
        throw new TypeError('The option url is no address of a server: http, https, ws or wss, without a user name.');
    base.href = scheme + base.href.slice(base.protocol.length);
    base.search = base.hash = '';
    return base.href.replace(/\/+$/, '');
}

function socketUrlOf(base, device) {
    const query = device ? `?${new URLSearchParams({device})}` : '';
    return `${base.replace(/^http/, 'ws')}/messages/ws${query}`;
}

function closed() {
    return new Problem('disconnected', {detail: 'The client was closed.'});
}

export class TidingsClient extends Emitter {
    #tokens;
    #login = null; // a Login, where it gives the tokens
    #endedBy = null; // why the login is over
    #rest;
    #connection;
    #outbox;
    #ledger;
    #catchUp;
    #deliveries;
    #uploads;
    #filesToSend = new Map(); // client_msg_id -> AbortController, while the file of a message goes up
    #storage;
    #storagePrefix;
    #resume;
    #loading = null;
    #outboxSlot = null;
    #uploadSlot = null;
    #positionsSlot = null;
    #userId;
    #sessionId = null;
    #synced = false;
    #watched = null;
    #reads = new Map(); // conversation id -> {upToSeq} that the server has not been told yet; undefined: all
    #reading = new Set(); // those of them that are being told
    #serverAheadMs = 0;
    #closed = false;
    #closing = null; // the promise of close()
    #onNetwork = () => this.#connection.hurry();
    #onOffline = () => this.#connection.check(OFFLINE_MS);
    #onVisible = () => globalThis.document.visibilityState === 'visible' && this.#connection.check();
    #onPageHide = () => this.#flush();

    constructor({url, token, getToken, loginStore = null, WebSocket = globalThis.WebSocket, device = null, userId = null, storage = null,
        storagePrefix = 'tidings:', resume = true, reportDelivery = true, backoff = {}, timing = {}}) {
        super();
        if (typeof WebSocket !== 'function')
            throw new TypeError('There is no WebSocket here: give a constructor as the option WebSocket.');
        const base = baseOf(url);
        const times = {...TIMING, ...timing};
        if (loginStore !== null)
            this.#login = new Login(loginStore, {renew: (...given) => this.#rest.refresh(...given), onEnded: (reason) => this.#ended(reason)});
        this.#tokens = this.#login ?? new Tokens(token, getToken);
        this.#rest = new Rest(base, this.#tokens, {timeoutMs: times.requestMs});
        this.#storage = storage;
        this.#storagePrefix = storagePrefix;
        this.#resume = resume;
        this.#userId = userId;
        this.#ledger = new Ledger({
            event: (name, event) => this.#happened(name, event),
            gap: (id) => this.#catchUp.gap(id),
            behind: () => this.#catchUp.run(),
            moved: () => this.#savePositions(),
        });
        this.#catchUp = new CatchUp({
            rest: this.#rest, ledger: this.#ledger, timing: times, backoff,
            on: {
                synced: () => this.#caughtUp(),
                conversation: (conversation) => this.#show(conversation),
                left: (id) => this.#left(id, null),
                moved: () => this.#savePositions(),
                error: (error) => this.emit('error', error),
            },
        });
        this.#deliveries = new Deliveries({
            tell: (id, seq) => reportDelivery && this.#connection.hint('delivered', {conversation_id: id, up_to_seq: seq}),
        });
        this.#outbox = new Outbox({
            transmit: (draft, apart) => this.#transmit(draft, apart), store: () => this.#saveOutbox(), backoff,
            on: {
                queued: (draft) => this.emit('queued', draft),
                acked: (ack) => this.emit('ack', ack),
                refused: (refusal) => this.emit('refused', refusal),
            },
        });
        this.#uploads = new Uploads({rest: this.#rest, slot: () => this.#uploadsSlot(), backoff});
        this.#connection = new Connection({
            url: socketUrlOf(base, device), tokens: this.#tokens, WebSocket, timing: times, backoff,
            probe: (t) => this.#rest.requestOnce('GET', '/messages/unread-count', {token: t}),
            on: {
                state: (state) => this.#entered(state),
                hello: (hello) => this.#greeted(hello),
                frame: (frame) => this.#received(frame),
                lost: ({code}) => isOurFault(code) && this.#outbox.suspect(),
            },
        });
        if (userId !== null)
            this.#load(userId);
    }

    get rest() {
        return this.#rest;
    }

    get state() {
        return this.#connection.state;
    }

    get online() {
        return this.#connection.online;
    }

    // Connected, and nothing that happened before is missing.
    get synced() {
        return this.#synced;
    }

    // null until the server has said it, or the option.
    get userId() {
        return this.#userId;
    }

    get sessionId() {
        return this.#sessionId;
    }

    // What is neither acknowledged nor refused, as bodies of POST /messages/send.
    get unsent() {
        return this.#outbox.list();
    }

    // The server's time, in milliseconds since 1970: one's own clock may be wrong. Before the first hello it is that.
    get serverTime() {
        return Date.now() + this.#serverAheadMs;
    }

    // ---- the connection ----

    connect() {
        if (this.#closed)
            throw closed();
        this.#endedBy = null;
        globalThis.addEventListener?.('online', this.#onNetwork);
        globalThis.addEventListener?.('offline', this.#onOffline);
        globalThis.addEventListener?.('pagehide', this.#onPageHide);
        globalThis.document?.addEventListener('visibilitychange', this.#onVisible);
        this.#connection.connect();
        return this;
    }

    // Resolves when what is stored is stored. Sends that were not acknowledged stay in the storage, and their `done`
    // rejects. The client is of no more use.
    close() {
        this.#closed = true;
        this.#closing ??= this.#close();
        return this.#closing;
    }

    async #close() {
        globalThis.removeEventListener?.('online', this.#onNetwork);
        globalThis.removeEventListener?.('offline', this.#onOffline);
        globalThis.removeEventListener?.('pagehide', this.#onPageHide);
        globalThis.document?.removeEventListener('visibilitychange', this.#onVisible);
        this.#connection.stop();
        this.#outbox.abandon(closed());
        this.#uploads.close(closed());
        this.#tokens.close(closed());
        await this.#flush();
    }

    // Resolves when caught up; rejects if the connection comes to rest before, or the client is closed.
    ready() {
        if (this.#closed)
            return Promise.reject(closed());
        if (this.#synced)
            return Promise.resolve();
        return new Promise((resolve, reject) => {
            const offs = [
                this.on('synced', () => {
                    offs.forEach((off) => off());
                    resolve();
                }),
                this.on('state', ({state, reason}) => {
                    if (!this.#connection.atRest)
                        return;
                    offs.forEach((off) => off());
                    reject(this.#closed ? closed() : new Problem('disconnected', {detail: reason || state}));
                }),
            ];
        });
    }

    // Another token of the same user. Ends `unauthorized`.
    setToken(token) {
        this.#tokens.set(token);
        this.#authorized();
    }

    #authorized() {
        this.#endedBy = null;
        if (this.state === 'unauthorized')
            this.connect();
    }

    // ---- the login, kept in the option loginStore ----

    async register({user_id, password, nickname, device}) {
        this.#needsStore(user_id);
        return this.#begin(await this.#rest.register({user_id, password, nickname, device}));
    }

    async login({user_id, password, device}) {
        this.#needsStore(user_id);
        return this.#begin(await this.#rest.login({user_id, password, device}));
    }

    #needsStore(userId) {
        if (this.#login === null)
            throw new TypeError('A login is kept in a store: give one as the option loginStore.');
        if (this.#userId !== null && this.#userId !== userId)
            throw new TypeError('A client is for one user: make another one.');
    }

    async #begin(account) {
        await this.#login.begin(account);
        this.#authorized();
        if (this.#isOutdated)
            this.#connection.restart();
        return account;
    }

    // Whether the session is of a login that was in use before.
    get #isOutdated() {
        const {token} = this.#connection;
        return token !== null && this.#login !== null && this.#login.isOutdated(token);
    }

    // Renews the login now. It does so by itself in time.
    async refresh() {
        if (this.#login === null)
            throw new TypeError('There is no login to renew.');
        await this.#login.refresh();
    }

    // Rejects where the server cannot be told, and the login stays. A login that has ended already is no problem.
    async logout({all = false} = {}) {
        try {
            await this.#rest.logout({all: all || undefined});
        } catch (problem) {
            if (!problem.aboutToken)
                throw problem;
        }
        await this.#endLogin('logged_out');
    }

    // Out of this store alone: the server goes on to know the login.
    forgetLogin() {
        return this.#endLogin('logged_out');
    }

    // The account goes, for good.
    async deleteAccount(password) {
        await this.#rest.deleteAccount(password);
        await this.#endLogin('erased');
    }

    async #endLogin(reason) {
        if (this.#login !== null)
            await this.#login.end(reason);
        else
            this.#ended(reason);
    }

    #ended(reason) {
        if (this.#closed || this.#endedBy !== null)
            return;
        this.#endedBy = reason;
        this.emit('ended', {reason});
        if (!this.#closed && this.state !== 'idle')
            this.#connection.stop('unauthorized', reason);
    }

    // ---- what the user does ----

    // {to | conversation_id, type = 'text', content, entities, media_url, extra, reply_to, mentions, client_msg_id, expires_in}.
    // Goes out now or when there is a connection again: {client_msg_id, done}. To a direct conversation that is known it goes by its user,
    // so that what is sent to either of the two keeps its order. A sticker: {to, type: 'sticker', extra: {pack, sticker}}.
    // With `file` (and name, onProgress, signal, as upload() has them) it is uploaded before, and says what the message is.
    send({to, conversation_id, file, type, ...rest}) {
        if (typeof (to ?? conversation_id) !== 'string')
            throw new TypeError('A message goes to a user (to) or to a conversation (conversation_id).');
        return file == null ? this.#sendNow({to, conversation_id, type: type ?? 'text', ...rest}) : this.#sendFile({to, conversation_id, file, type, ...rest});
    }

    #sendNow({to, conversation_id, type, ...rest}) {
        const user = to ?? this.#ledger.peerOf(conversation_id);
        return this.#outbox.add({...rest, ...user === null ? {conversation_id} : {to_user_id: user}, message_type: type});
    }

    #sendFile({file, name, onProgress, signal, type, extra, client_msg_id = randomId(), ...message}) {
        const stop = new AbortController();
        const cancel = () => stop.abort();
        if (signal?.aborted)
            cancel();
        signal?.addEventListener('abort', cancel);
        this.#filesToSend.set(client_msg_id, stop);
        const send = async () => {
            let media;
            try {
                media = await this.upload(file, {name, onProgress, signal: stop.signal});
            } finally {
                this.#filesToSend.delete(client_msg_id);
                signal?.removeEventListener('abort', cancel);
            }
            return this.sendUploaded(media, {...message, client_msg_id, type, extra}).done;
        };
        const done = send();
        done.catch(() => {}); // as of any other message
        return {client_msg_id, done};
    }

    // A file that upload() has brought to the server. type: what shows it, unless that is given.
    sendUploaded(media, {to, to_user_id, type, extra, ...message}) {
        return this.send({...message, to: to ?? to_user_id, type: type ?? messageTypeOf(media), media_url: `tidings:media/${media.id}`,
            extra: {...extra, ...extraOf(media)}});
    }

    // Takes back an unsent message; false where it may have reached the server.
    cancel(clientMsgId) {
        const stop = this.#filesToSend.get(clientMsgId);
        stop?.abort();
        return stop !== undefined || this.#outbox.cancel(clientMsgId);
    }

    // Resolves to what the server has found the file to be; its message has `tidings:media/{id}` as media_url. Goes on after
    // whatever interrupts it. signal: ends it, and what has come is deleted.
    upload(file, {name, type, conversation_id, onProgress, signal} = {}) {
        return this.#uploads.upload(file, {name, type, conversation_id, onProgress, signal});
    }

    // Remembered until the server knows it. Without upToSeq: all there is when it gets there.
    markRead(conversationId, upToSeq) {
        const known = this.#reads.get(conversationId) ?? {upToSeq: 0};
        const all = upToSeq === undefined || known.upToSeq === undefined;
        this.#reads.set(conversationId, {upToSeq: all ? undefined : Math.max(known.upToSeq, upToSeq)});
        this.#deliveries.read(conversationId, upToSeq ?? this.#ledger.lastKnownOf(conversationId));
        this.#tellRead(conversationId);
    }

    // All of what can be edited: without entities or mentions it has none afterwards.
    edit(messageId, {content, entities, mentions}) {
        return this.#rest.editMessage(messageId, {content, entities, mentions});
    }

    // Copies messages to users and conversations, or, merged, one message of them; comment: a text before them. Each of
    // `to` has its result.
    forward(messageIds, to, {merged, comment, client_msg_id} = {}) {
        return this.#rest.forwardMessages({message_ids: messageIds, to, merged, comment, client_msg_id});
    }

    // All parts of a merged message: for await (const part of client.forwarded(message.id)).
    forwarded(messageId, part) {
        return this.#rest.each((page) => this.#rest.forwarded(messageId, {part, ...page}));
    }

    // {q, conversation_id, from, type, after, before, limit, cursor}: a page of what this user may see, the newest first.
    search(query) {
        return this.#rest.search(query);
    }

    recall(messageId) {
        return this.#rest.recallMessage(messageId);
    }

    delete(messageId) {
        return this.#rest.deleteMessage(messageId);
    }

    // All reactions of the message afterwards.
    react(messageId, emoji) {
        return this.#reactionsAfter(messageId, () => this.#rest.react(messageId, emoji));
    }

    unreact(messageId, emoji) {
        return this.#reactionsAfter(messageId, () => this.#rest.unreact(messageId, emoji));
    }

    // Events may have overtaken the answer.
    async #reactionsAfter(messageId, ask) {
        const {moment} = this;
        return this.withReactions({id: messageId, is_recalled: false, reactions: await ask()}, moment).reactions;
    }

    // To be kept when a REST call is made, and given to the next with each message of its answer.
    get moment() {
        return this.#ledger.moment;
    }

    // With the reactions that events have told of since.
    withReactions(message, moment) {
        return this.#ledger.withReactions(message, moment);
    }

    pin(messageId) {
        return this.#rest.pin(messageId);
    }

    unpin(messageId) {
        return this.#rest.unpin(messageId);
    }

    // Out of a group; the event `left` follows. An owner passes it on first, or is alone.
    async leave(groupId) {
        const me = this.#userId ?? (await this.#rest.me()).user_id;
        await this.#rest.removeMember(groupId, me);
    }

    // Any user, a friend or not. A block stays until it is lifted.
    block(userId) {
        return this.#rest.block(userId);
    }

    unblock(userId) {
        return this.#rest.unblock(userId);
    }

    // The profiles of all whom this user blocks.
    async blocked() {
        const profiles = [];
        for await (const profile of this.#rest.each((page) => this.#rest.blocked(page)))
            profiles.push(profile);
        return profiles;
    }

    typing(conversationId) {
        this.#connection.hint('typing', {conversation_id: conversationId});
    }

    // Whose presence to follow, from now on and after every reconnection; replaces the set before.
    watch(userIds) {
        this.#watched = [...userIds];
        if (this.online)
            this.#sendWatch();
    }

    // ---- what happens ----

    #entered(state) {
        if (state.state !== 'online') {
            this.#synced = false;
            this.#outbox.pause();
            this.#deliveries.stop();
            this.#catchUp.stop();
        }
        this.emit('state', state);
    }

    async #greeted({user_id, session_id, server_time}) {
        if (this.#userId !== null && this.#userId !== user_id) {
            this.#connection.stop('unauthorized', 'The token is another user\'s.');
            return;
        }
        this.#userId = user_id;
        this.#serverAheadMs = Date.parse(server_time) - Date.now() || 0;
        this.#sessionId = session_id;
        await this.#load(user_id);
        if (!this.online || this.#sessionId !== session_id)
            return;
        this.#outbox.resume();
        this.#deliveries.start();
        this.#catchUp.start();
        if (this.#watched !== null)
            this.#sendWatch();
    }

    #caughtUp() {
        this.#synced = true;
        this.emit('synced', {});
        for (const id of this.#reads.keys())
            this.#tellRead(id);
    }

    #received(frame) {
        const {type, ...event} = frame;
        switch (type) {
        case 'message':
            this.#heard(event.message);
            break;
        case 'recalled':
            this.#ledger.heardChange(event.conversation_id, event.change_seq);
            if (this.#ledger.changed('recalled', event.message_id, event.recalled_at))
                this.emit('recalled', event);
            break;
        case 'edited':
            this.#ledger.heardChange(event.message.conversation_id, event.change_seq);
            if (this.#ledger.edited(event.message, event.change_seq))
                this.emit('edited', {...event, message: this.#ledger.withLaterReactions(event.message, event.change_seq)});
            break;
        case 'reaction':
            this.#ledger.heardChange(event.conversation_id, event.change_seq);
            if (this.#ledger.reacted(event))
                this.emit('reaction', event);
            break;
        case 'pinned':
            this.#ledger.heardChange(event.conversation_id, event.change_seq);
            if (this.#ledger.pinned(event.message_id, event.change_seq))
                this.emit('pinned', event);
            break;
        case 'deleted':
            if (this.#ledger.changed('deleted', event.message_id, null))
                this.emit('deleted', event);
            break;
        case 'read':
            this.#receivedRead(event);
            break;
        case 'conversation':
            this.#shown(event.conversation);
            break;
        case 'left':
            this.#left(event.conversation_id, event.reason);
            break;
        case 'resync':
            this.#synced = false;
            this.#catchUp.run();
            break;
        case 'notification':
            this.emit('notification', event.notification);
            break;
        case 'kicked':
            this.#kicked(event);
            break;
        case 'typing':
        case 'delivered':
        case 'presence':
            this.emit(type, event);
            break;
        default:
            // A later version's, or the error of a hint: nothing that this one could do anything about.
        }
    }

    #kicked(event) {
        const isOver = LOGIN_ENDS.has(event.reason);
        if (isOver && this.#isOutdated) {
            this.#connection.restart();
            return;
        }
        this.emit('kicked', event);
        if (isOver)
            this.#endLogin(event.reason).catch((error) => this.emit('error', error));
    }

    // In order, and each once.
    #happened(name, event) {
        this.emit(name, event);
        if (name === 'message' && event.to_user_id === this.#userId && !event.is_read)
            this.#deliveries.received(event.conversation_id, event.seq);
    }

    // At the first connection its messages are history, and come with the conversation.
    #show(conversation) {
        this.emit('conversation', conversation);
        const {id, kind, last_message: last, unread_count} = conversation;
        if (kind === 'direct' && last !== null && unread_count > 0 && last.seq <= this.#ledger.seqOf(id))
            this.#deliveries.received(id, last.seq);
    }

    #receivedRead(event) {
        if (event.message_ids === null) {
            if (event.reader_id === this.#userId)
                this.#deliveries.read(event.conversation_id, event.up_to_seq);
            this.#ledger.readUpTo(event.conversation_id, event.reader_id, event.up_to_seq, event.read_at);
            this.emit('read', event);
            return;
        }
        const message_ids = event.message_ids.filter((id) => this.#ledger.changed('read', id, event.read_at));
        if (message_ids.length > 0)
            this.emit('read', {...event, message_ids});
    }

    #shown(conversation) {
        if (this.#ledger.isOver(conversation))
            return;
        this.#show(conversation);
        this.#ledger.meet(conversation);
    }

    // reason: null where it is not known. A dissolved group can still be read.
    #left(conversation_id, reason) {
        if (reason !== 'dissolved') {
            if (!this.#ledger.drop(conversation_id, reason === null))
                return;
            this.#reads.delete(conversation_id);
        }
        this.emit('left', {conversation_id, reason});
    }

    #heard(message) {
        this.#ledger.heard(message, message.from_user_id === this.#userId);
    }

    async #transmit(draft, apart) {
        let answer;
        if (apart) {
            const {status, body} = await this.#rest.request('POST', '/messages/send', {body: draft});
            answer = {message: body, replayed: status === 200};
        } else {
            const {message, replayed} = await this.#connection.request('send', draft);
            answer = {message, replayed};
        }
        this.#heard(answer.message);
        return answer;
    }

    // One request a conversation at a time; what was read meanwhile goes with the next.
    async #tellRead(conversationId) {
        const read = this.#reads.get(conversationId);
        if (!this.online || read === undefined || this.#reading.has(conversationId))
            return;
        this.#reading.add(conversationId);
        try {
            await this.#rest.readConversation(conversationId, read.upToSeq);
        } catch (problem) {
            if (problem.transient || problem.aboutToken)
                return; // again after the next catching up
            if (this.#reads.has(conversationId)) // else the user has left meanwhile
                this.emit('error', problem);
        } finally {
            this.#reading.delete(conversationId);
        }
        if (this.#reads.get(conversationId) === read)
            this.#reads.delete(conversationId);
        else
            this.#tellRead(conversationId);
    }

    async #sendWatch() {
        try {
            const {users} = await this.#connection.request('watch', {user_ids: this.#watched});
            users.forEach((user) => this.emit('presence', user));
        } catch (problem) {
            if (!problem.transient)
                this.emit('error', problem);
        }
    }

    // ---- what is kept over a restart ----

    #load(userId) {
        this.#loading ??= this.#loadNow(`${this.#storagePrefix}${userId}:`);
        return this.#loading;
    }

    async #loadNow(prefix) {
        const onError = (error) => this.emit('error', error);
        this.#uploadSlot = this.#storage && new Slot(this.#storage, `${prefix}uploads`, {onError});
        this.#outboxSlot = new Slot(this.#storage, `${prefix}outbox`, {onError});
        const drafts = await this.#outboxSlot.load();
        if (Array.isArray(drafts))
            this.#outbox.restore(drafts);
        this.#outboxSlot.save(() => this.#outbox.list());
        if (!this.#resume)
            return;
        const slot = new Slot(this.#storage, `${prefix}positions`, {delayMs: POSITIONS_DELAY_MS, onError});
        const positions = await slot.load();
        if (typeof positions?.cursor === 'string' && Array.isArray(positions.places)) {
            this.#ledger.restore(positions.places);
            this.#catchUp.restore(positions.cursor);
        }
        this.#positionsSlot = slot;
    }

    async #uploadsSlot() {
        await this.#loading;
        return this.#uploadSlot;
    }

    async #saveOutbox() {
        await this.#loading; // what was stored before is part of it
        await this.#outboxSlot?.save(() => this.#outbox.list());
    }

    #savePositions() {
        if (this.#catchUp.cursor !== null)
            this.#positionsSlot?.save(() => ({cursor: this.#catchUp.cursor, places: this.#ledger.save()}));
    }

    async #flush() {
        await this.#loading;
        await Promise.all([this.#outboxSlot?.flush(), this.#positionsSlot?.flush(), this.#uploadSlot?.flush()]);
    }
}
