// SPDX-License-Identifier: BSD-2-Clause
// One user's chat: the client, what is known, and what the user can do. Views read `conversations`, `people`, `groups`,
// `notices`, `outgoing`, `push` and `drafts`, have messages read by `pages` and settings changed by `own`, and hear through
// `changes` when to look again. Topics: state, conversations, timeline, people, groups, notices, drafts,
// stickers; events for the user's eyes at once go to onNews.
import {TidingsClient} from '../../client/src/index.js';
import {countUnsent, homeOf} from './account.js';
import {Changes} from './changes.js';
import {now, takeTimeFrom} from './clock.js';
import {Conversations} from './conversations.js';
import {isToldOf} from './conversation_settings.js';
import {RecentEmoji} from './emoji.js';
import {FileSending} from './file_sending.js';
import {Files} from './files.js';
import {groupName, nameOf} from './format.js';
import {mayRecallOthers, silence} from './group_rules.js';
import {Groups} from './groups.js';
import {History} from './history.js';
import {shortText} from './message_text.js';
import {Notices} from './notices.js';
import {Drafts, Outgoing} from './outgoing.js';
import {OwnSettings} from './own_settings.js';
import {Pages} from './pages.js';
import {People} from './people.js';
import {Pins, mayPin} from './pins.js';
import {Push} from './push.js';
import {Reactions} from './reactions.js';
import {groupIdOf} from './room_key.js';
import {isSystem, usersNamed} from './system_text.js';
import {Stickers} from './stickers.js';
import {Typing} from './typing.js';

const TYPING_EVERY_MS = 3000;
const REFRESH_MS = 300;
const READ_DELAY_MS = 150;
// Defaults of message.recall_window and message.edit_window; the server has the last word.
const RECALL_WINDOW_MS = 120000;
const EDIT_WINDOW_MS = 172800000;

// What was forwarded stays as it was, and a sticker has no text.
function isEditable({message_type, forwarded_from}) {
    return !['system', 'sticker', 'forward'].includes(message_type) && !forwarded_from;
}

export class Chat {
    #client;
    #account;
    #typingSentAt = 0; // and in that conversation
    #typingSentIn = null;
    #typing = new Typing(() => this.changes.changed('conversations'));
    #refreshTimer = null;
    #leftMeanwhile = new Set(); // ids of groups, while a list is fetched that may still have them
    #readTimer = null;
    #readWanted = new Map(); // Conversation -> seq
    changes = new Changes();
    conversations = new Conversations();
    state = {state: 'idle', reason: '', retryInMs: null};
    kickedReason = null;
    synced = false;
    wasSynced = false; // ever
    onSent = () => {}; // the user has sent a message
    isShown = () => false; // (conversation): whether the user has it open
    profile;

    // loginStore: where the client keeps the account. mediaBaseUrl: of files that are not on this server, or ''. onNews({kind: 'message' | 'notification' | 'added' | 'left', …});
    // onSignedOut(reason) when the login is over: a reason of the client's event `ended`.
    constructor({account, loginStore, url, mediaBaseUrl, storage, onNews, onSignedOut}) {
        this.#account = account;
        this.me = account.user_id;
        this.isByLink = account.login_id === null; // a token alone, of no login
        this.profile = {user_id: this.me, nickname: null, avatar_url: null};
        this.onNews = onNews;
        this.onSignedOut = onSignedOut;
        this.conversations.me = this.me;
        this.#client = new TidingsClient({url, loginStore, userId: this.me, storage, storagePrefix: 'tidings-web:',
            resume: false, device: 'web'});
        takeTimeFrom(() => this.#client.serverTime);
        this.people = new People(this.#client, () => this.changes.changed('people', 'conversations'));
        this.groups = new Groups(this.#client.rest, this.people, this.me, () => this.changes.changed('groups', 'timeline'));
        this.reactions = new Reactions(this.#client, this.conversations, this.me, () => this.changes.changed('timeline'));
        this.pins = new Pins(this.#client, () => this.changes.changed('timeline'), (m) => this.#present(m));
        this.stickers = new Stickers(this.#client.rest, homeOf(account), this.me, () => this.changes.changed('stickers'));
        this.recentEmoji = new RecentEmoji(homeOf(account), this.me);
        this.notices = new Notices(this.#client.rest, () => this.changes.changed('notices'));
        this.outgoing = new Outgoing(storage, this.me);
        this.push = new Push(this.#client.rest, account);
        this.files = new Files(this.#client.rest, mediaBaseUrl);
        this.fileSending = new FileSending(this.#client, this.outgoing, () => this.changes.changed('timeline'));
        this.drafts = new Drafts(storage, this.me);
        this.pages = new Pages(this.#client, this.conversations, (messages) => this.wantNames(messages), () => this.changes.changed('timeline'));
        this.own = new OwnSettings(this, {show: (shown) => this.#shown(shown), refresh: () => this.#refreshSoon(), read: (id, seq) => this.#client.markRead(id, seq)});
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

    // Rejects with a Problem where the server cannot be told: forgetLogin() does it here alone. onSignedOut() follows both.
    async logOut({all = false} = {}) {
        await (this.isByLink && !all ? this.#client.forgetLogin() : this.#client.logout({all}));
    }

    forgetLogin() {
        return this.#client.forgetLogin();
    }

    // For good.
    deleteAccount(password) {
        return this.#client.deleteAccount(password);
    }

    // How many messages would be lost by logging out; all: everywhere.
    countUnsent({all = false} = {}) {
        return countUnsent(this.#account, this.outgoing.waiting, all);
    }

    async stop() {
        this.own.stop();
        this.fileSending.stop();
        await this.#client.close();
    }

    // ---- what happens ----

    #listen() {
        const on = (name, handle, ...topics) => this.#client.on(name, (event) => {
            this.changes.changed(...topics); // gathered until this is done, and told whatever becomes of it
            handle(event);
        });
        on('state', (state) => this.#entered(state), 'state', 'timeline');
        on('synced', () => this.#caughtUp(), 'state', 'conversations', 'timeline');
        on('conversation', (c) => this.#toldOf(c), 'conversations', 'groups', 'timeline');
        on('message', (m) => this.#heard(m), 'conversations', 'timeline');
        on('queued', (draft) => this.outgoing.queued(draft), 'timeline');
        on('ack', (ack) => this.#acked(ack), 'conversations', 'timeline');
        on('refused', (refusal) => this.#refused(refusal), 'timeline');
        on('left', (e) => this.#left(e), 'conversations', 'groups', 'timeline');
        on('recalled', (e) => this.#counted(this.conversations.recalled(e.conversation_id, e.message_id, e.recalled_at, e.by, e.reason)),
            'conversations', 'timeline');
        on('edited', ({message}) => this.#edited(message), 'conversations', 'timeline');
        on('updated', ({message}) => this.#edited(message), 'conversations', 'timeline');
        on('reaction', (e) => this.reactions.heard(e), 'timeline');
        on('pinned', (e) => this.#pinned(e), 'timeline');
        on('deleted', (e) => this.#counted(this.conversations.deleted(e.conversation_id, e.message_id)),
            'conversations', 'timeline');
        on('read', (e) => this.#wasRead(e), 'conversations', 'timeline');
        on('delivered', (e) => this.conversations.delivered(e.conversation_id, e.user_id, e.up_to_seq), 'conversations', 'timeline');
        on('typing', (e) => this.#typed(e), 'conversations');
        on('notification', (n) => this.#notified(n), 'notices');
        on('ended', ({reason}) => this.#signedOut(reason));
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
            this.#signedOut('expired');
    }

    // Once: the state follows the event.
    #signedOut(reason) {
        const tell = this.onSignedOut;
        this.onSignedOut = () => {};
        tell(reason);
    }

    #caughtUp() {
        this.synced = this.wasSynced = true;
        this.#renewCopies();
        this.#showUnsent();
        this.own.connected();
        this.pins.caughtUp();
        this.#quietly(Promise.all([this.people.load(), this.notices.load(), this.#loadProfile()]));
        this.push.renew().catch((problem) => problem.transient || console.warn(problem));
    }

    // What the user looks at stays on the screen while it is read anew.
    #renewCopies() {
        this.conversations.dropCopies();
        for (const c of this.conversations.all().filter(({history}) => history.isCopy)) {
            if (this.isShown(c))
                this.pages.renew(c);
            else
                c.history = new History();
        }
    }

    // An outbox that was stored is there without having been announced.
    #showUnsent() {
        this.#client.unsent.forEach((draft) => this.outgoing.queued(draft));
    }

    async #loadProfile() {
        this.profile = await this.rest.me();
        this.people.met(this.profile); // others mention this user by name
        this.changes.changed('state');
    }

    // The server shows a conversation unasked.
    #toldOf(shown) {
        const before = this.conversations.get(shown.id);
        const isNew = before === null || before.group === null || before.gone !== null;
        const c = this.#shown(shown);
        if (c.isGroup && isNew && this.synced && !this.#hasEntered(c))
            this.onNews({kind: 'added', conversation: c});
    }

    // Whether the user has made the group or joined it, here or elsewhere, rather than been added.
    #hasEntered({group, last}) {
        return group.role === 'owner' || (last !== null && isSystem(last) && last.from_user_id === this.me);
    }

    // Returns the conversation.
    #shown(shown) {
        const c = this.conversations.put(shown);
        if (c.isGroup)
            this.groups.changed(c);
        else
            this.people.met(shown.peer);
        this.own.shown(c);
        return c;
    }

    // Of everyone whom these messages of groups name: they will be shown. (Who has reacted: when a message is on the screen.)
    wantNames(messages) {
        for (const message of messages) {
            if (message.to_user_id === null)
                this.people.want(isSystem(message) ? usersNamed(message) :
                    [message.from_user_id, ...message.mentions ?? []].filter((id) => id !== '*'));
        }
    }

    #heard(message) {
        if (message.client_msg_id !== null && message.from_user_id === this.me)
            this.outgoing.done(message.client_msg_id);
        const known = this.conversations.get(message.conversation_id) !== null;
        const isNew = this.conversations.heard(message);
        const c = this.conversations.get(message.conversation_id);
        this.wantNames([message]);
        if (!known)
            this.#refreshSoon();
        if (isNew && isSystem(message))
            this.groups.changed(c);
        if (isNew && message.from_user_id !== this.me) {
            this.#typing.ended(c, message.from_user_id);
            this.onNews({kind: 'message', message, quiet: !isToldOf(c.settings, message, this.me, now())});
        }
    }

    #refused({draft, problem}) {
        this.outgoing.refused(draft, problem);
        const c = draft.conversation_id && this.conversations.get(draft.conversation_id);
        if (c)
            this.groups.refused(c);
    }

    #left({conversation_id, reason}) {
        const before = this.conversations.get(conversation_id);
        const known = before !== null && before.gone === null && before.group !== null;
        const c = this.conversations.left(conversation_id, reason);
        if (c === null)
            return;
        if (c.gone !== null) {
            this.groups.forget(c);
            this.pins.forget(c);
            this.own.left(c);
            this.#leftMeanwhile.add(c.id);
        }
        if (known)
            this.onNews({kind: 'left', conversation: c, reason});
    }

    #acked({client_msg_id, message}) {
        this.outgoing.done(client_msg_id);
        this.conversations.heard(message);
    }

    #edited(message) {
        this.wantNames([message]);
        this.#counted(this.conversations.edited(message));
    }

    #pinned(event) {
        const c = this.conversations.get(event.conversation_id);
        if (c)
            this.pins.heard(c, event);
    }

    // As it is known now; null where the user has deleted it.
    #present(message) {
        const c = this.conversations.get(message.conversation_id);
        return c?.history.isDeleted(message.id) ? null : this.conversations.messageOf(message) ?? message;
    }

    #wasRead({conversation_id, reader_id, up_to_seq, message_ids, read_at}) {
        if (up_to_seq !== null)
            this.#counted(this.conversations.readUpTo(conversation_id, reader_id, up_to_seq));
        for (const id of message_ids ?? [])
            this.#counted(this.conversations.messageRead(conversation_id, id, read_at));
    }

    #typed({conversation_id, user_id}) {
        const c = this.conversations.get(conversation_id);
        if (!c || user_id === this.me)
            return;
        this.people.want(c.isGroup ? [user_id] : []);
        this.#typing.heard(c, user_id);
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
            this.#leftMeanwhile.clear();
            const page = await this.#quietly(this.rest.conversations({limit: 50}));
            page?.items.filter(({id}) => !this.#leftMeanwhile.has(id)).forEach((c) => this.#shown(c));
            this.changes.changed('conversations', 'timeline');
        }, REFRESH_MS);
    }

    // The conversation of that key (room_key.js); with a user it is made if there is none. Rejects with a Problem.
    async conversationOf(key) {
        const known = this.conversations.withKey(key);
        if (known && known.gone === null && !(known.isGroup && known.group === null))
            return known;
        const id = groupIdOf(key);
        const c = this.#shown(await (id === null ? this.rest.createConversation(key) : this.rest.group(id)));
        this.changes.changed('conversations');
        return c;
    }

    // One that is not known here.
    async conversationById(id) {
        const c = this.#shown(await this.rest.conversation(id));
        this.changes.changed('conversations');
        return c;
    }

    // A message in words.
    shortText(message) {
        const roleNow = this.conversations.get(message.conversation_id)?.roleAfter(message, this.me);
        return shortText(message, this.me, (id) => this.people.name(id), roleNow);
    }

    // What the conversation is called.
    title(c) {
        return c.isGroup ? groupName(c.group) : nameOf(this.people.profile(c.peer.user_id));
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

    // message: {type, content, entities, media_url, extra, reply_to, mentions}
    send(c, message) {
        this.#typingSentIn = null; // what is typed next is another message
        this.#client.send({...c.isGroup ? {conversation_id: c.id} : {to: c.peer.user_id}, ...message});
        this.onSent();
    }

    // files: File objects. options: those of FileSending.send().
    sendFiles(c, files, options) {
        this.#typingSentIn = null;
        this.fileSending.send(c.isGroup ? {conversation_id: c.id} : {to_user_id: c.peer.user_id}, files, options);
        this.onSent();
    }

    // Resolves to what the server knows of it; for what is no message.
    upload(file) {
        return this.#client.upload(file);
    }

    resend(item) {
        if (item.upload) {
            this.fileSending.retry(item);
            return;
        }
        const {to_user_id, message_type, ...rest} = item.draft;
        this.#client.send({to: to_user_id, type: message_type, ...rest});
    }

    discard(item) {
        const {draft, problem, upload} = item;
        if (upload) {
            this.fileSending.cancel(item);
            return;
        }
        if (problem === null && !this.#client.cancel(draft.client_msg_id))
            return;
        this.outgoing.done(draft.client_msg_id);
        this.changes.changed('timeline');
    }

    canRecall(message) {
        if (message.is_recalled || isSystem(message))
            return false;
        const c = this.conversations.get(message.conversation_id);
        if (c?.group && message.from_user_id !== this.me)
            return mayRecallOthers(c.group, this.groups.of(c).members.get(message.from_user_id)?.role);
        return message.from_user_id === this.me && now() - Date.parse(message.created_at) < RECALL_WINDOW_MS;
    }

    async recall(message) {
        const {recalled_at} = await this.#client.recall(message.id);
        const by = message.from_user_id === this.me ? null : this.me;
        this.#counted(this.conversations.recalled(message.conversation_id, message.id, recalled_at, by));
        this.changes.changed('conversations', 'timeline');
    }

    // Whether the user can write there now, or could but for the group's slow mode.
    canWriteTo(c) {
        if (!c.isGroup)
            return this.people.isFriend(c.peer.user_id) && !this.people.hasBlocked(c.peer.user_id);
        return c.gone === null && ['slow', undefined].includes(this.silenceOf(c)?.why);
    }

    canEdit(message) {
        const c = this.conversations.get(message.conversation_id);
        return c !== null && message.from_user_id === this.me && !message.is_recalled && isEditable(message) &&
            now() - Date.parse(message.created_at) < EDIT_WINDOW_MS && this.canWriteTo(c);
    }

    // Also where only admins can write.
    canReactIn(c) {
        return c.isGroup ? c.gone === null && !['dissolved', 'muted'].includes(this.silenceOf(c)?.why) : this.canWriteTo(c);
    }

    canPin(message) {
        const c = this.conversations.get(message.conversation_id);
        return c !== null && !message.is_recalled && !isSystem(message) && mayPin(c, this.canWriteTo(c));
    }

    // fields: {content, entities, mentions}, all of them.
    async edit(message, fields) {
        this.#edited(await this.#client.edit(message.id, fields));
        this.changes.changed('conversations', 'timeline');
    }

    // As TidingsClient.forward(). The copies come as messages, too.
    forward(messageIds, to, options) {
        return this.#client.forward(messageIds, to, options);
    }

    async deleteForMe(message) {
        await this.#client.delete(message.id);
        this.#counted(this.conversations.deleted(message.conversation_id, message.id));
        this.changes.changed('conversations', 'timeline');
    }

    // The user has seen everything up to that seq. The server is told a moment later, once for several.
    sawUpTo(c, seq) {
        if (seq <= c.readSeq || c.gone !== null || this.state.state === 'replaced')
            return;
        c.readSeq = seq;
        this.conversations.recount(c);
        this.changes.changed('conversations');
        this.#readWanted.set(c, seq);
        this.#readTimer ??= setTimeout(() => {
            this.#readTimer = null;
            this.#readWanted.forEach((upTo, {id, gone}) => gone === null && this.#client.markRead(id, upTo));
            this.#readWanted.clear();
        }, READ_DELAY_MS);
    }

    typing(c) {
        const told = c === this.#typingSentIn && Date.now() - this.#typingSentAt < TYPING_EVERY_MS;
        if (told || !(c.isGroup || this.people.isFriend(c.peer.user_id)))
            return;
        this.#typingSentAt = Date.now();
        this.#typingSentIn = c;
        this.#client.typing(c.id);
    }

    // fields: the body of POST /groups. {conversation, leftOut}. Rejects with a Problem, as all of these do.
    async createGroup(fields) {
        const {left_out, ...shown} = await this.rest.createGroup(fields);
        this.changes.changed('conversations');
        return {conversation: this.#shown(shown), leftOut: left_out};
    }

    // name: the REST client's acceptInvite, with a code, or joinGroup, with an id. The conversation, or null where an admin
    // has to let the user in first.
    async join(name, code) {
        const answer = await this.rest[name](code);
        this.changes.changed('conversations');
        return answer.state === 'requested' ? null : this.#shown(answer);
    }

    // name: a method of the REST client that takes the group's id first; one that answers the conversation changes it here.
    async actOnGroup(c, name, ...args) {
        const answer = await this.groups.act(c, name, ...args);
        if (answer?.kind === 'group')
            this.#shown(answer);
        this.changes.changed('conversations', 'groups', 'timeline');
        return answer;
    }

    // The server told so; the message that says it may be on its way.
    noteDissolved(c) {
        this.conversations.left(c.id, 'dissolved');
        this.changes.changed('conversations', 'groups', 'timeline');
    }

    async leaveGroup(c) {
        await this.#client.leave(c.id);
        this.#left({conversation_id: c.id, reason: 'left'});
        this.changes.changed('conversations', 'groups', 'timeline');
    }

    // Why one cannot write to that group now, as group_rules.js has it; null where one can.
    silenceOf(c) {
        if (!c.group)
            return null;
        const sentAt = c.history.lastOf(this.me)?.created_at ?? null;
        return silence(c.group, this.groups.of(c).own, sentAt, now());
    }

    async updateProfile(fields) {
        this.profile = await this.rest.updateMe(fields);
        this.people.met(this.profile);
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
