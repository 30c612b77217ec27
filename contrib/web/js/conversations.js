// SPDX-License-Identifier: BSD-2-Clause
// The caller's conversations, as the server told of them and as the events have changed them since.
import {withReaction} from '../../client/src/reactions.js';
import {now} from './clock.js';
import {NO_SETTINGS, inListOrder, isMutedAt} from './conversation_settings.js';
import {History, asRecalled, isUnread, newerOf} from './history.js';
import {mentionsUser} from './mention.js';
import {groupIdOf, groupKey} from './room_key.js';
import {concernsRoleOf, isSystem, systemEvent} from './system_text.js';

const later = (a, b) => ((a ?? '') > (b ?? '') ? a : b);

export class Conversation {
    history = new History();
    window = null; // a History that is shown in its place: messages around a place further back
    group = null; // as the server shows it; of a group that the server was not asked about yet null, as of a direct one
    shownSeq = 0; // of the newest message when the server showed it
    last = null; // the newest message that the caller has not deleted
    time = null; // of the newest message, whoever deleted it
    unread = 0;
    mentions = 0; // unread messages that mention the caller
    readSeq = 0;
    firstSeq = 1; // of the first message that the caller may see
    peerReadSeq = 0;
    peerDeliveredSeq = 0; // what is read has been delivered, whether this says so or not
    readers = new Map(); // of a group: user id -> the seq up to which they have read it, as far as that was heard
    typing = []; // ids of those who are writing, who began first at the beginning
    gone = null; // a group that the caller is no longer in: 'left', 'removed' or 'banned', or '' where the reason is not known
    settings = NO_SETTINGS; // the caller's own
    setting = 0; // changes of them that are under way: what is shown meanwhile may be older
    isCopy = false; // as it was when the page was last here: the server has not told how it is now
    newSeq = null; // while it is shown: of the first message that was new when the user came to it

    // peer: null in a group
    constructor(id, peer, createdAt) {
        this.id = id;
        this.peer = peer;
        this.createdAt = createdAt;
    }

    get isGroup() {
        return this.peer === null;
    }

    get key() {
        return this.isGroup ? groupKey(this.id) : this.peer.user_id;
    }

    get sortTime() {
        return this.time ?? this.createdAt;
    }

    get isMuted() {
        return isMutedAt(this.settings, now());
    }

    // The caller has cleared its history, and nothing has come since.
    get isCleared() {
        return this.last === null && this.firstSeq > 1;
    }

    // Something in it waits for the caller.
    get isUnread() {
        return this.unread > 0 || this.settings.marked_unread;
    }

    // The highest seq that is known.
    get topSeq() {
        return Math.max(this.last?.seq ?? 0, this.history.last?.seq ?? 0);
    }

    // What is shown of it.
    get shown() {
        return this.window ?? this.history;
    }

    // A message that is here; null where it is not.
    byId(id) {
        return this.window?.byId(id) ?? this.history.byId(id);
    }

    // Once the messages further back have come to the newest ones, they are one.
    joinWindow() {
        const {history, window} = this;
        const meets = window !== null && (!window.hasNewer || (history.firstSeq !== null && window.last !== null && window.last.seq >= history.firstSeq));
        if (!meets)
            return;
        history.putPage(window.messages.filter(({id}) => !history.isDeleted(id)), window.hasOlder);
        this.window = null;
    }

    // The seq up to which somebody else has read, as far as that was heard.
    readByOthers(me) {
        let seq = this.peerReadSeq;
        for (const [id, upTo] of this.readers)
            seq = id === me ? seq : Math.max(seq, upTo);
        return seq;
    }

    // The caller's role, if that message is the last that may have changed it; null where it is not, or the server has not
    // shown the group since.
    roleAfter(message, me) {
        if (this.group === null || this.shownSeq < message.seq || !concernsRoleOf(message, me))
            return null;
        return this.history.messages.some((m) => m.seq > message.seq && concernsRoleOf(m, me)) ? null : this.group.role;
    }

    noteReader(userId, seq) {
        this.readers.set(userId, Math.max(this.readers.get(userId) ?? 0, seq));
    }
}

export class Conversations {
    #byId = new Map();
    #byPeer = new Map();
    me = null;

    get(id) {
        return this.#byId.get(id) ?? null;
    }

    withPeer(userId) {
        return this.#byPeer.get(userId) ?? null;
    }

    withKey(key) {
        const id = groupIdOf(key);
        return id === null ? this.withPeer(key) : this.get(id);
    }

    // Those that can be opened, in no order.
    all() {
        return [...this.#byId.values()].filter((c) => c.gone === null && !(c.isGroup && c.group === null));
    }

    // Those of the list, in its order: the archived ones, or the others.
    list(archived = false) {
        return this.all().filter((c) => c.settings.archived === archived && !c.isCleared).sort(inListOrder);
    }

    get unread() {
        return this.all().reduce((sum, c) => sum + c.unread, 0);
    }

    // As the server shows it. An answer may be older than the events that overtook it.
    put(shown) {
        const c = this.#known(shown.id, shown.peer, shown.created_at);
        if (c.gone !== null)
            this.#begin(c);
        if (c.isCopy)
            this.#confirm(c);
        c.peer = shown.peer;
        c.group = shown.group;
        c.shownSeq = shown.last_message?.seq ?? 0;
        c.createdAt = shown.created_at;
        this.#begins(c, shown.first_seq ?? 1);
        if (c.setting === 0)
            c.settings = shown.settings ?? NO_SETTINGS;
        c.readSeq = Math.max(c.readSeq, shown.read_seq);
        c.peerReadSeq = Math.max(c.peerReadSeq, shown.peer_read_seq ?? 0);
        c.peerDeliveredSeq = Math.max(c.peerDeliveredSeq, shown.peer_delivered_seq ?? 0);
        if (c.time !== null && (shown.last_message_time ?? '') < c.time)
            return c;
        c.time = shown.last_message_time;
        if (shown.last_message === null || !c.history.isDeleted(shown.last_message.id)) {
            const known = shown.last_message && this.#knownAs(c, shown.last_message.id);
            c.last = known ? newerOf(known, shown.last_message) : shown.last_message;
        }
        const read = c.readSeq >= c.topSeq;
        c.unread = read ? 0 : shown.unread_count;
        c.mentions = read ? 0 : shown.mention_count ?? 0;
        this.recount(c);
        return c;
    }

    // One that was kept while the page was away; the messages are the newest of then.
    putCopy(shown, messages, hasOlder) {
        const c = this.put(shown);
        if (messages.length > 0 || c.last !== null)
            c.history = History.ofCopy(messages.length > 0 ? messages : [c.last], messages.length === 0 || hasOlder);
        c.isCopy = true;
    }

    // The server has told of all conversations: copies that it has not told of are gone.
    dropCopies() {
        for (const c of [...this.#byId.values()].filter(({isCopy}) => isCopy)) {
            this.#byId.delete(c.id);
            if (c.peer !== null)
                this.#byPeer.delete(c.peer.user_id);
            c.gone = '';
        }
    }

    // A message was sent by this user, to them or to a group of theirs. True for one that was not known.
    heard(message) {
        const mine = message.from_user_id === this.me;
        const peerId = mine ? message.to_user_id : message.from_user_id;
        const inGroup = message.to_user_id === null;
        const c = this.#known(message.conversation_id, inGroup ? null :
            {user_id: peerId, nickname: null, avatar_url: null, online: false}, message.created_at);
        if (c.history.isDeleted(message.id))
            return false;
        const isNew = message.seq > c.topSeq;
        c.history.put(message);
        c.time = later(c.time, message.created_at);
        if (isNew || c.last?.id === message.id)
            c.last = c.history.byId(message.id);
        if (inGroup && isNew)
            this.#heardInGroup(c, message, mine);
        if (isNew && !mine && c.settings.archived && !c.isMuted)
            c.settings = {...c.settings, archived: false};
        if (isNew && message.seq > c.readSeq && isUnread(message, this.me)) {
            c.unread++;
            c.mentions += mentionsUser(message, this.me) ? 1 : 0;
        }
        this.recount(c);
        return isNew;
    }

    // Who sends to a group has read it so far.
    #heardInGroup(c, message, mine) {
        if (!isSystem(message)) {
            if (mine)
                c.readSeq = Math.max(c.readSeq, message.seq);
            c.noteReader(message.from_user_id, message.seq);
            return;
        }
        const {event, users} = systemEvent(message) ?? {};
        const change = {added: users?.length, joined: 1, left: -1, removed: -(users?.length)}[event];
        if (c.group !== null && change)
            c.group = {...c.group, member_count: Math.max(1, c.group.member_count + change)};
        if (c.group !== null && event === 'dissolved')
            c.group = {...c.group, dissolved_at: message.created_at};
    }

    // The caller is no longer in that group, or it is dissolved. Null where it was not known.
    left(id, reason) {
        const c = this.get(id);
        if (!c)
            return null;
        if (reason === 'dissolved') {
            if (c.group !== null)
                c.group = {...c.group, dissolved_at: c.group.dissolved_at ?? new Date().toISOString()};
            return c;
        }
        c.gone = reason ?? '';
        c.unread = c.mentions = 0;
        c.typing = [];
        c.history = new History();
        c.window = null;
        return c;
    }

    // The caller sees nothing of it up to that seq any more.
    cleared(id, seq) {
        const c = this.get(id);
        if (c !== null)
            this.#begins(c, seq + 1);
    }

    // These return whether the counts have to be asked for, since not all unread messages are here.
    // by, reason: as the event `recalled` has them.
    recalled(id, messageId, at, by = null, reason = null) {
        return this.#changed(id, messageId, asRecalled(at, by, reason));
    }

    // A message as it is now. One that is not here is not put there: those between may be missing.
    edited(message) {
        const c = this.get(message.conversation_id);
        if (!c || c.history.isDeleted(message.id))
            return false;
        for (const history of [c.history, c.window]) {
            if ((history?.byId(message.id) ?? null) !== null)
                history.put(message);
        }
        if (c.last?.id === message.id)
            c.last = newerOf(c.last, message);
        return !this.recount(c) && message.seq > c.readSeq;
    }

    // Somebody has reacted to a message, or has taken that back. One that is not here is left alone.
    reacted(event) {
        const known = this.messageOf({conversation_id: event.conversation_id, id: event.message_id});
        if (known !== null && !known.is_recalled)
            this.change(event.conversation_id, event.message_id, {reactions: withReaction(known.reactions ?? [], event)});
    }

    // The message as it is known; null where it is not.
    messageOf({conversation_id, id}) {
        const c = this.get(conversation_id);
        return c === null ? null : this.#knownAs(c, id);
    }

    // What changes nothing that is counted.
    change(id, messageId, fields) {
        this.#changed(id, messageId, fields);
    }

    messageRead(id, messageId, at) {
        return this.#changed(id, messageId, {is_read: true, read_at: at});
    }

    deleted(id, messageId) {
        const c = this.get(id);
        if (!c)
            return false;
        c.history.remove(messageId);
        c.window?.remove(messageId);
        const wasLast = c.last?.id === messageId;
        if (wasLast)
            c.last = c.history.last;
        return !this.recount(c) || (wasLast && c.last === null);
    }

    readUpTo(id, readerId, seq) {
        const c = this.get(id);
        if (!c)
            return false;
        if (readerId !== this.me) {
            if (c.isGroup)
                c.noteReader(readerId, seq);
            else
                c.peerReadSeq = Math.max(c.peerReadSeq, seq);
            return false;
        }
        c.readSeq = Math.max(c.readSeq, seq);
        if (c.settings.marked_unread)
            c.settings = {...c.settings, marked_unread: false};
        return !this.recount(c);
    }

    // Messages up to that seq have reached the other side.
    delivered(id, userId, seq) {
        const c = this.get(id);
        if (c && !c.isGroup && userId !== this.me)
            c.peerDeliveredSeq = Math.max(c.peerDeliveredSeq, seq);
    }

    // False where not all unread messages are here.
    recount(c) {
        const count = c.readSeq >= c.topSeq ? {unread: 0, mentions: 0} : c.history.countUnread(this.me, c.readSeq);
        c.unread = count?.unread ?? c.unread;
        c.mentions = count?.mentions ?? c.mentions;
        return count !== null;
    }

    #changed(id, messageId, fields) {
        const c = this.get(id);
        if (!c)
            return false;
        c.history.change(messageId, fields);
        c.window?.change(messageId, fields);
        if (c.last?.id === messageId)
            c.last = {...c.last, ...fields};
        return !this.recount(c);
    }

    #begins(c, firstSeq) {
        if (firstSeq > c.firstSeq) {
            c.history.cut(firstSeq);
            c.window = null;
            if (c.last !== null && c.last.seq < firstSeq)
                c.last = null;
            c.readSeq = Math.max(c.readSeq, firstSeq - 1);
        }
        c.firstSeq = firstSeq;
        this.recount(c);
    }

    #knownAs(c, messageId) {
        return c.byId(messageId) ?? (c.last?.id === messageId ? c.last : null);
    }

    // Who comes back to a group may see other messages than before.
    #begin(c) {
        Object.assign(c, new Conversation(c.id, c.peer, c.createdAt));
    }

    // Its messages are shown until they were read anew.
    #confirm(c) {
        const {history} = c;
        this.#begin(c);
        c.history = history;
    }

    #known(id, peer, createdAt) {
        let c = this.#byId.get(id);
        if (!c) {
            c = new Conversation(id, peer, createdAt);
            this.#byId.set(id, c);
            if (peer !== null)
                this.#byPeer.set(peer.user_id, c);
        }
        return c;
    }
}
