// SPDX-License-Identifier: BSD-2-Clause
// How far each conversation, direct or a group, has been handed to the application. Messages come in from everywhere
// (events, answers to sends, catching up) in any order and any number of times; they leave once each, in the order of
// seq. One that comes too early is held until what lies before it has come.

import {isPartOf, withReaction} from './reactions.js';

// So many recalls, reads, deletions and edits are remembered, so that each is told once, and so that a message that was
// read from the database before its recall or edit is not shown after it.
const REMEMBERED = 10000;
const REACTIONS_REMEMBERED = 200; // of a message
const KINDS_REMEMBERED = 100; // of a message
const ALL_REACTIONS_REMEMBERED = 20000; // with their kinds and messages

// As the server shows a recalled message.
function recalled(message, at) {
    return {...message, is_recalled: true, recalled_at: at, content: null, media_url: null, extra: null, entities: null,
        mentions: [], reactions: [], forwarded_from: null};
}

// What a storage gives may have been written by anyone.
function isPlace(place) {
    return Array.isArray(place) && place.length >= 4 && typeof place[0] === 'string' && place.slice(2, 4).every(Number.isSafeInteger);
}

const lastSeqOf = (conversation) => conversation.last_message?.seq ?? 0;

// What lies before a user's joining is history. Where that cannot be seen, everything that can be is later than it; else
// read_seq begins there. The message about the joining is the first one that is handed on.
function joinedAt(conversation) {
    return Math.max(conversation.first_seq > 1 ? conversation.first_seq - 1 : conversation.read_seq - 1, 0);
}

function remember(map, key, value) {
    map.delete(key);
    map.set(key, value);
    if (map.size > REMEMBERED)
        map.delete(map.keys().next().value);
}

class Place {
    held = new Map(); // seq -> message
    edited = new Map(); // seq -> message, of those that were edited before they were handed on
    reads = new Map(); // of a direct conversation: user id -> {seq, at}, as far as they have read it
    end = 0; // a message with this seq is known to be there

    // peerId: null in a group. seq: everything up to it was handed on; null while it is not known where to begin.
    // joinedAt: tells one membership of a group from another; null where it is not known.
    constructor(id, peerId, seq, changeSeq, joinedAt = null) {
        this.id = id;
        this.peerId = peerId;
        this.seq = seq;
        this.changeSeq = changeSeq;
        this.joinedAt = joinedAt;
    }

    get isGroup() {
        return this.peerId === null;
    }

    get firstHeld() {
        return Math.min(...this.held.keys());
    }

    get lastKnown() {
        return Math.max(this.end, ...this.held.keys());
    }

    // Messages are known to be there that were not handed on.
    get isWanting() {
        return this.held.size > 0 || (this.seq !== null && this.seq < this.end);
    }
}

// What was told of the reactions to one message.
class Reactions {
    heard = new Map(); // "user emoji" -> {event, moment}, in the order they are to be applied
    lastOf = new Map(); // emoji -> change_seq
    since = 0; // a change_seq: what was told up to it is in a state of the message that was told, or was told long ago

    get size() {
        return 1 + this.heard.size + this.lastOf.size;
    }

    note(event, moment) {
        const key = `${event.user_id} ${event.emoji}`;
        this.heard.delete(key);
        this.heard.set(key, {event, moment});
        if (this.heard.size > REACTIONS_REMEMBERED)
            this.heard.delete(this.heard.keys().next().value);
        this.lastOf.delete(event.emoji);
        this.lastOf.set(event.emoji, event.change_seq);
        if (this.lastOf.size <= KINDS_REMEMBERED)
            return;
        const [emoji, changeSeq] = this.lastOf.entries().next().value;
        this.lastOf.delete(emoji);
        this.since = Math.max(this.since, changeSeq);
    }
}

export class Ledger {
    #places = new Map(); // conversation id -> Place, the one touched last at the end
    #changes = new Map(); // "kind message_id" -> time; the oldest first
    #edits = new Map(); // message id -> {changeSeq, at} of its last edit that was told; the oldest first
    #reactions = new Map(); // message id -> Reactions, of those that were told; the oldest first
    #reactionCount = 0; // of them all
    #pins = new Map(); // message id -> change_seq of its last pinning that was told; the oldest first
    #begun = false;
    #moment = 0; // counts what the next two tell of
    #metAt = new Map(); // conversation id -> when an event last showed it
    #leftAt = new Map(); // conversation id -> when the user was last found to be out of it
    #was = new Map(); // conversation id -> the {seq, joinedAt} of its place when it was dropped
    #on;

    // on.event(name, event) for the application; on.gap(conversation_id) when messages are missing, or a group that is
    // not known was heard of; on.behind() when changes may be missing; on.moved() when what save() gives has changed.
    constructor(on) {
        this.#on = on;
    }

    // ---- where everything is ----

    // From what save() gave.
    restore(places) {
        for (const [id, peerId, seq, changeSeq, joinedAt] of places.filter(isPlace))
            this.#places.set(id, new Place(id, peerId, seq, changeSeq, joinedAt));
        this.#begun = true;
    }

    save() {
        return [...this.#places.values()].filter((p) => p.seq !== null)
            .map((p) => [p.id, p.peerId, p.seq, p.changeSeq, p.joinedAt]);
    }

    // Up to so many, those touched last first, the way POST /messages/sync takes them.
    recent(count) {
        return [...this.#places.values()].filter((p) => p.seq !== null).slice(-count).reverse()
            .map((p) => ({id: p.id, seq: p.seq, change_seq: p.changeSeq}));
    }

    peerOf(conversationId) {
        return this.#places.get(conversationId)?.peerId ?? null;
    }

    seqOf(conversationId) {
        return this.#places.get(conversationId)?.seq ?? null;
    }

    // The seqs that are held for want of earlier ones.
    heldOf(conversationId) {
        return [...this.#places.get(conversationId)?.held.keys() ?? []];
    }

    // The last seq that is known to be there.
    lastKnownOf(conversationId) {
        return this.#places.get(conversationId)?.lastKnown ?? 0;
    }

    isWanting(conversationId) {
        return this.#places.get(conversationId)?.isWanting ?? false;
    }

    // Those of which messages are missing.
    wanting() {
        return [...this.#places.values()].filter((p) => p.isWanting).map((p) => p.id);
    }

    // ---- coming and going: a user may leave a group, and come back, while an answer about it is on its way ----

    // To be kept when something is asked, and given to the three below when the answer is there.
    get moment() {
        return this.#moment;
    }

    // The user left since: an answer that shows the conversation may be older than that.
    leftSince(conversationId, moment) {
        return (this.#leftAt.get(conversationId) ?? 0) > moment;
    }

    // The conversation as it is shown here is of before the user left: by the time it was asked for, or because it tells
    // of a membership that is over.
    isOver(conversation, moment = Infinity) {
        const joinedAt = this.#was.get(conversation.id)?.joinedAt ?? null;
        return this.leftSince(conversation.id, moment) || (joinedAt !== null && joinedAt === conversation.group?.joined_at);
    }

    // The conversation was shown since: an answer without it may be older than that.
    metSince(conversationId, moment) {
        return (this.#metAt.get(conversationId) ?? 0) > moment;
    }

    // The conversation as an event, or an answer about it alone, shows it. A group that was not known begins where the
    // user joined it.
    meet(conversation) {
        this.#metAt.set(conversation.id, ++this.#moment);
        if (!this.#begun) {
            this.begin(conversation);
            return;
        }
        const place = this.#placeOf(conversation);
        this.#touch(place);
        if (place.seq === null)
            this.#beginNew(place, conversation);
        place.end = Math.max(place.end, lastSeqOf(conversation));
        if (place.isWanting)
            this.#on.gap(place.id);
    }

    // The user may not see it any more. False where that was known. byAnswer: an answer of the server says so, and may be
    // ahead of events that still show this membership. (An event is not, and may be of a membership before this one.)
    drop(conversationId, byAnswer = false) {
        const [met, left] = [this.#metAt, this.#leftAt].map((at) => at.get(conversationId) ?? 0);
        const wasIn = this.seqOf(conversationId) !== null || left === 0 || met > left;
        const {seq, joinedAt} = this.#places.get(conversationId) ?? {};
        const was = this.#was.get(conversationId);
        this.#was.set(conversationId, {seq: Math.max(seq ?? 0, was?.seq ?? 0), joinedAt: (byAnswer ? joinedAt : null) ?? was?.joinedAt ?? null});
        this.#places.delete(conversationId);
        this.#leftAt.set(conversationId, ++this.#moment);
        this.#on.moved();
        return wasIn;
    }

    // ---- the beginning: messages up to it are history, and not handed on ----

    // The conversation as the server shows it now. What was heard of it before counts as after the beginning.
    begin(conversation) {
        const place = this.#placeOf(conversation);
        if (place.seq === null)
            this.#beginAt(place, Math.min(lastSeqOf(conversation), place.firstHeld - 1), conversation.change_seq);
    }

    // Every conversation that existed has begun; one that is heard of later is new. Where a group begins its
    // conversation tells.
    allBegun() {
        this.#begun = true;
        for (const place of this.#places.values()) {
            if (place.seq === null)
                this.#beginUnseen(place);
        }
    }

    // A direct conversation that the server had not shown is new as a whole.
    #beginUnseen(place) {
        if (place.isGroup)
            this.#on.gap(place.id);
        else
            this.#beginAt(place, 0, 0);
    }

    // What was handed on before the user left does not come again: that they are back may be known before that they left.
    #beginNew(place, conversation) {
        const seq = Math.min(place.isGroup ? joinedAt(conversation) : 0, place.firstHeld - 1);
        this.#beginAt(place, Math.max(seq, this.#was.get(place.id)?.seq ?? 0), conversation.change_seq);
    }

    #beginAt(place, seq, changeSeq) {
        place.seq = seq;
        place.changeSeq = changeSeq;
        this.#on.moved();
        this.#release(place);
    }

    #add(id, peerId) {
        const place = new Place(id, peerId, null, 0);
        this.#places.set(id, place);
        return place;
    }

    #placeOf(conversation) {
        const place = this.#places.get(conversation.id) ?? this.#add(conversation.id);
        place.peerId = conversation.peer?.user_id ?? null;
        place.joinedAt = conversation.group?.joined_at ?? null;
        return place;
    }

    #touch(place) {
        this.#places.delete(place.id);
        this.#places.set(place.id, place);
    }

    // ---- messages ----

    // One that was just committed, from an event or the answer to a send. own: sent by this user.
    heard(message, own) {
        const peerId = own || message.to_user_id === null ? message.to_user_id : message.from_user_id;
        const place = this.#places.get(message.conversation_id) ?? this.#add(message.conversation_id, peerId);
        this.#touch(place);
        if (place.seq !== null && message.seq <= place.seq)
            return;
        place.held.set(message.seq, message);
        if (place.seq === null && this.#begun)
            this.#beginUnseen(place);
        else
            this.#release(place);
    }

    // All that the caller may see over the place's seq and up to the last of these, in order.
    fill(conversationId, messages) {
        const place = this.#places.get(conversationId);
        if (place === undefined)
            return;
        for (const message of messages) {
            if (message.seq > place.seq)
                this.#deliver(place, message);
        }
        this.#release(place);
    }

    // There is nothing more to see up to this seq: what is missing was deleted.
    settle(conversationId, seq) {
        const place = this.#places.get(conversationId);
        if (place === undefined)
            return;
        if (seq > place.seq) {
            place.seq = seq;
            this.#on.moved();
        }
        this.#release(place);
    }

    #release(place) {
        if (place.seq === null)
            return;
        for (const seq of place.held.keys()) {
            if (seq <= place.seq)
                place.held.delete(seq);
        }
        for (let next; (next = place.held.get(place.seq + 1)) !== undefined;) {
            place.held.delete(next.seq);
            this.#deliver(place, next);
        }
        for (const seq of place.edited.keys()) {
            if (seq <= place.seq)
                place.edited.delete(seq);
        }
        if (place.held.size > 0)
            this.#on.gap(place.id);
    }

    #deliver(place, message) {
        place.seq = message.seq;
        this.#on.moved();
        const edited = place.edited.get(message.seq);
        const present = this.#asKnown(place, edited && this.#isBeforeEdit(message) ? edited : message);
        if (present !== null)
            this.#on.event('message', this.withReactions(present));
    }

    #isBeforeEdit({id, edited_at}) {
        const known = this.#edits.get(id);
        return known !== undefined && (edited_at ?? '') < known.at;
    }

    // With what was told of it already, which an answer of the server may lack. Null where the user has deleted it.
    #asKnown(place, message) {
        if (this.#changes.has(`deleted ${message.id}`))
            return null;
        const recalledAt = this.#changes.get(`recalled ${message.id}`);
        if (recalledAt !== undefined)
            return recalled(message, recalledAt);
        if (message.is_read !== false)
            return message;
        const readers = [...place.reads].filter(([id, {seq}]) => id !== message.from_user_id && seq >= message.seq);
        const readAt = readers[0]?.[1].at ?? this.#changes.get(`read ${message.id}`);
        return readAt === undefined ? message : {...message, is_read: true, read_at: readAt};
    }

    // ---- what is done to messages afterwards ----

    // An event with a change_seq. Unless it is the next, others may be missing: catching up tells.
    heardChange(conversationId, changeSeq) {
        const place = this.#places.get(conversationId);
        if (place === undefined || place.seq === null || changeSeq <= place.changeSeq)
            return;
        if (changeSeq > place.changeSeq + 1) {
            this.#on.behind();
            return;
        }
        place.changeSeq = changeSeq;
        this.#on.moved();
    }

    // Notes it; false where it was known.
    changed(kind, messageId, at) {
        const key = `${kind} ${messageId}`;
        if (this.#changes.has(key))
            return false;
        remember(this.#changes, key, at);
        return true;
    }

    // Notes that it was edited, and how it is now; false where that, or a later edit, was known.
    edited(message, changeSeq) {
        if (changeSeq <= (this.#edits.get(message.id)?.changeSeq ?? 0) || this.#changes.has(`deleted ${message.id}`) ||
            this.#changes.has(`recalled ${message.id}`))
            return false;
        remember(this.#edits, message.id, {changeSeq, at: message.edited_at ?? ''});
        const place = this.#places.get(message.conversation_id);
        if (place !== undefined && (place.seq === null || message.seq > place.seq))
            place.edited.set(message.seq, message);
        return true;
    }

    // Notes a reaction that was added or taken back; false where what was told already is newer.
    reacted(event) {
        const {message_id, emoji, change_seq} = event;
        const known = this.#reactionsOf(message_id);
        if (change_seq <= Math.max(known.since, known.lastOf.get(emoji) ?? 0) || this.#changes.has(`deleted ${message_id}`) ||
            this.#changes.has(`recalled ${message_id}`))
            return false;
        const before = known.size;
        known.note(event, ++this.#moment);
        this.#reactionCount += known.size - before;
        this.#forgetReactions();
        return true;
    }

    #reactionsOf(messageId) {
        const known = this.#reactions.get(messageId) ?? new Reactions();
        this.#reactionCount += this.#reactions.has(messageId) ? 0 : known.size;
        this.#reactions.delete(messageId);
        this.#reactions.set(messageId, known);
        this.#forgetReactions();
        return known;
    }

    // Those of the messages that were told of the longest ago.
    #forgetReactions() {
        for (const [id, known] of this.#reactions) {
            if (this.#reactionCount <= ALL_REACTIONS_REMEMBERED)
                return;
            this.#reactions.delete(id);
            this.#reactionCount -= known.size;
        }
    }

    // How much is remembered of reactions.
    get reactionCount() {
        return [...this.#reactions.values()].reduce((sum, known) => sum + known.size, 0);
    }

    // The message, as an answer of the server has it, with the reactions that were told after that moment.
    withReactions(message, moment = 0) {
        const later = this.#toldOf(message, (told) => told.moment > moment);
        const apply = (reactions, event) => (isPartOf(reactions, event) ? reactions : withReaction(reactions, event));
        return later.length === 0 ? message : {...message, reactions: later.reduce(apply, message.reactions ?? [])};
    }

    // The message, as it was after a change, with the reactions that came later.
    withLaterReactions(message, changeSeq) {
        const later = this.#toldOf(message, ({event}) => event.change_seq > changeSeq);
        return later.length === 0 ? message : {...message, reactions: later.reduce(withReaction, message.reactions ?? [])};
    }

    #toldOf(message, wanted) {
        const known = message.is_recalled ? undefined : this.#reactions.get(message.id);
        return [...known?.heard.values() ?? []].filter(wanted).map(({event}) => event);
    }

    // Notes that a message was pinned, or is not any more; false where that, or a later one, was known.
    pinned(messageId, changeSeq) {
        if (changeSeq <= (this.#pins.get(messageId) ?? 0))
            return false;
        remember(this.#pins, messageId, changeSeq);
        return true;
    }

    // A user has read the conversation up to that seq.
    readUpTo(conversationId, readerId, seq, at) {
        const place = this.#places.get(conversationId);
        if (place !== undefined && !place.isGroup && seq > (place.reads.get(readerId)?.seq ?? 0))
            place.reads.set(readerId, {seq, at});
    }

    // ---- POST /messages/sync ----

    // An item of its answer; listed: it was among the conversations of the request. True where asking again, with the
    // conversation listed, brings more.
    merge(item, listed) {
        const {conversation, messages} = item;
        const place = this.#placeOf(conversation);
        this.#touch(place);
        const isNew = place.seq === null;
        if (isNew)
            this.#beginNew(place, conversation);
        // Of a conversation that was not listed it has the newest messages: whether they follow on ours is known of a
        // new one alone.
        const follows = listed || (isNew && (!item.has_more || messages[0]?.seq <= place.seq + 1));
        if (!follows)
            return place.seq < lastSeqOf(conversation) || place.changeSeq < conversation.change_seq;
        this.fill(conversation.id, messages);
        this.#mergeChanges(place, item.changes, item.updated ?? []);
        const hasMore = listed && item.has_more;
        if (!hasMore)
            place.changeSeq = Math.max(place.changeSeq, conversation.change_seq);
        this.#on.moved();
        return hasMore;
    }

    // Changes of kinds that a later server has are in `updated` all the same.
    #mergeChanges(place, changes, updated) {
        const lastOf = (of) => new Map(of.map((c) => [c.message_id, c.change_seq]));
        const edits = lastOf(changes.filter((c) => c.kind === 'edited'));
        const all = lastOf(changes);
        for (const change of changes) {
            this.#tell(place, change);
            place.changeSeq = change.change_seq;
        }
        for (const given of updated) {
            const change_seq = edits.get(given.id), upTo = all.get(given.id) ?? 0;
            const message = this.withLaterReactions(given, upTo);
            const known = this.#reactionsOf(given.id);
            known.since = Math.max(known.since, upTo);
            if (change_seq !== undefined && !message.is_recalled && this.edited(message, change_seq))
                this.#on.event('edited', {message: this.#asKnown(place, message), change_seq});
            const present = this.#isBeforeEdit(message) ? null : this.#asKnown(place, message);
            if (present !== null)
                this.#on.event('updated', {message: present});
        }
    }

    // Edits and reactions are told by `updated`.
    #tell(place, {kind, message_id, at, change_seq}) {
        const conversation_id = place.id;
        if (kind === 'pinned' || kind === 'unpinned') {
            if (this.pinned(message_id, change_seq))
                this.#on.event('pinned', {conversation_id, message_id, pinned: kind === 'pinned', by: null, change_seq});
        } else if (kind === 'edited' || kind === 'reaction' || !this.changed(kind, message_id, at))
            return;
        else if (kind === 'recalled')
            this.#on.event('recalled', {conversation_id, message_id, recalled_at: at});
        else if (kind === 'deleted')
            this.#on.event('deleted', {conversation_id, message_id});
        else if (kind === 'read')
            this.#on.event('read', {conversation_id, reader_id: null, up_to_seq: null, message_ids: [message_id], read_at: at});
    }
}
