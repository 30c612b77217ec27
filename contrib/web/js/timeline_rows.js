// SPDX-License-Identifier: BSD-2-Clause
// What the timeline shows of a conversation, from top to bottom: messages, lines between days, where the new ones begin,
// and what is not sent yet.
import {dayOf} from './clock.js';
import {dayName} from './format.js';
import {authorName, cardOf} from './forwarded.js';
import {t} from './i18n.js';
import {EVERYONE, mentionsUser} from './mention.js';
import {roomOf} from './media.js';
import {emojiCount, recalledText} from './message_text.js';
import {isSystem, systemText} from './system_text.js';

const ALBUM_MAX = 10; // pictures in one block
const GROUP_MS = 5 * 60000; // messages of one sender this close together are drawn as one

const whens = new WeakMap(); // message -> {day, ms}; reckoning them for thousands takes a while

function whenOf(message) {
    let when = whens.get(message);
    if (when === undefined)
        whens.set(message, when = {day: dayOf(message.created_at), ms: Date.parse(message.created_at)});
    return when;
}

// found: message id -> {ranges, edited_at}, what was searched for.
export function timelineRows(chat, conversation, found = new Map()) {
    const mayReact = chat.canReactIn(conversation);
    const {shown, newSeq} = conversation;
    const readTo = conversation.readByOthers(chat.me);
    const rows = [{kind: 'top', key: 'top', state: topState(shown), name: chat.title(conversation), isGroup: conversation.isGroup,
        isLater: conversation.firstSeq > 1}]; // the user came later, or has cleared what was before
    let before = null, lastDay = null, isNew = false;
    const add = (row) => {
        const {message} = row;
        const {day} = whenOf(message);
        if (day !== lastDay) {
            rows.push({kind: 'day', key: `day ${day}`, name: dayName(message.created_at), time: message.created_at});
            before = null;
            lastDay = day;
        }
        if (!isNew && !row.own && newSeq !== null && message.seq >= newSeq) {
            isNew = true;
            rows.push({kind: 'new', key: 'new'});
            before = null;
        }
        if (row.kind === 'system') {
            rows.push(row);
            before = null;
            return;
        }
        if (before !== null && isOfAlbum(before, row)) {
            join(before, row);
            return;
        }
        row.first = before === null || !together(before, row);
        row.last = true;
        if (!row.first)
            before.last = false;
        rows.push(row);
        before = row;
    };
    for (const message of shown.messages) {
        const row = isSystem(message) ? systemRow(chat, conversation, message) : storedRow(chat, conversation, message, {readTo, mayReact, found});
        if (row !== null)
            add(row);
    }
    if (conversation.window !== null) {
        rows.push({kind: 'bottom', key: 'bottom', state: shown.failedNewer ? 'failed' : 'loading'});
        return rows;
    }
    for (const item of chat.outgoing.to(conversation.key))
        add(unsentRow(chat, conversation, item));
    return rows;
}

function topState(history) {
    if (history.failed)
        return 'failed';
    return history.loaded && !history.hasOlder ? 'begin' : 'loading';
}

function together(a, b) {
    return a.message.from_user_id === b.message.from_user_id && whenOf(b.message).ms - whenOf(a.message).ms < GROUP_MS;
}

function albumOf({message}) {
    const {album} = message.extra ?? {};
    return typeof album === 'string' && ['image', 'video'].includes(message.message_type) && !message.is_recalled ? album : null;
}

// Pictures that were sent together are shown as one block: by their sender, one after the other, and without a word between.
function isOfAlbum(before, row) {
    const album = albumOf(row);
    return album !== null && album === albumOf(before) && before.message.from_user_id === row.message.from_user_id && !row.message.content &&
        row.quoted === null && row.forwardedFrom === null && before.forwardedFrom === null && (before.album?.length ?? 1) < ALBUM_MAX;
}

// The row of the first is that of all; its ticks are those of the last.
function join(row, next) {
    row.album ??= [{...row}];
    row.album.push(next);
    next.of = row;
    if (row.status !== 'failed')
        row.status = next.status;
    if (next.status === 'failed')
        row.failedItem = next.item;
}

// Those that a row shows: one, or all of an album.
export function messagesOf(row) {
    return row.album?.map(({message}) => message) ?? [row.message];
}

// A message keeps its key when it has been stored, and so its element.
export function messageKey(message, me) {
    return message.from_user_id === me && message.client_msg_id !== null ? `c ${message.client_msg_id}` : `m ${message.id}`;
}

// Null for what this version has no words for.
function systemRow(chat, conversation, message) {
    const text = systemText(message, chat.me, (id) => chat.people.name(id), conversation.roleAfter(message, chat.me));
    return text === null ? null : {kind: 'system', key: messageKey(message, chat.me), message, text, own: true};
}

// How far one of the user's own messages has come.
export function storedStatus({peerDeliveredSeq}, {is_read, seq}, readTo) {
    if (is_read || seq <= readTo)
        return 'read';
    return seq <= peerDeliveredSeq ? 'delivered' : 'sent';
}

// readTo: the seq up to which somebody else has read. mayReact: whether the user may react to messages there.
function storedRow(chat, conversation, message, {readTo, mayReact, found}) {
    const {me, people} = chat;
    const own = message.from_user_id === me;
    const nameOf = (id) => people.name(id);
    return {kind: 'message', key: messageKey(message, me), message, own, item: null, name: nameOf(message.from_user_id),
        status: !own || message.is_recalled ? null : storedStatus(conversation, message, readTo),
        sender: conversation.isGroup && !own ? {profile: people.profile(message.from_user_id), trusted: people.isTrusted(message.from_user_id)} : null,
        recalled: message.is_recalled ? recalledText(message, me, nameOf) : null,
        mentions: (message.mentions ?? []).map((id) => ({id, name: id === EVERYONE ? '' : nameOf(id)})),
        ofMe: !own && mentionsUser(message, me), sticker: stickerOf(chat, message), ...forwardOf(chat, message), kinds: kindsOf(chat, message), mayReact: mayReact && !message.is_recalled,
        quoted: quotedBy(chat, conversation, message), found: foundIn(message, found)};
}

// {pack, emoji, url}; null where it is none.
function stickerOf(chat, message) {
    return message.message_type === 'sticker' && !message.is_recalled ? chat.stickers.shownBy(message) : null;
}

// Who wrote it first, and what is shown of messages that were merged into one.
function forwardOf(chat, message) {
    const {forwarded_from: from, message_type, is_recalled} = message;
    return {forwardedFrom: from && !is_recalled ? authorName(chat, from.user_id, from.nickname, t('system.you')) : null,
        card: message_type === 'forward' && !is_recalled ? cardOf(chat, message) : null};
}

// The user is named first, if one is theirs.
function kindsOf(chat, message) {
    return (message.reactions ?? []).map(({emoji, count, user_ids}) => {
        const own = chat.reactions.isOwn(message, {emoji, count, user_ids}) === true;
        const others = user_ids.filter((id) => id !== chat.me).map((id) => chat.people.name(id));
        return {emoji, count, own, names: own ? [t('message.you'), ...others] : others};
    });
}

// An edit since moves what was found.
function foundIn({id, edited_at}, found) {
    const known = found.get(id);
    return known !== undefined && (known.edited_at ?? null) === (edited_at ?? null) ? known.ranges : [];
}

const unsentMessages = new WeakMap(); // item -> message

function unsentRow(chat, conversation, item) {
    let message = unsentMessages.get(item);
    if (!message || message.extra !== (item.draft.extra ?? null)) {
        const {content = null, media_url = null, extra = null, reply_to = null} = item.draft;
        message = {mentions: [], ...item.draft, content, media_url, extra, reply_to, seq: null, id: null, is_recalled: false, is_read: false,
            created_at: item.at, from_user_id: chat.me};
        unsentMessages.set(item, message);
    }
    return {kind: 'message', key: messageKey(message, chat.me), message, own: true, item, name: null, sender: null, recalled: null, ofMe: false, sticker: stickerOf(chat, message), forwardedFrom: null, card: null, kinds: [], mayReact: false,
        final: (conversation.group?.dissolved_at ?? null) !== null, // nothing can be sent there any more
        mentions: message.mentions.map((id) => ({id, name: id === EVERYONE ? '' : chat.people.name(id)})),
        status: item.problem === null ? 'waiting' : 'failed', quoted: quotedBy(chat, conversation, message)};
}

function quotedBy(chat, conversation, {reply_to, is_recalled}) {
    if (!reply_to || is_recalled)
        return null;
    const message = conversation.byId(reply_to);
    if (message)
        return {name: message.from_user_id === chat.me ? t('message.you') : chat.people.name(message.from_user_id),
            text: chat.shortText(message), found: true};
    const gone = conversation.history.isDeleted(reply_to) || !conversation.shown.hasOlder;
    return {name: null, text: t(gone ? 'message.gone' : 'message.earlier'), found: !gone};
}

// Changes when the row has to be drawn anew.
export function versionOf(row) {
    if (row.kind === 'system')
        return row.text;
    if (row.kind !== 'message')
        return `${row.state} ${row.name} ${row.isLater}`;
    return row.album ? row.album.map((one) => oneVersion({...one, first: row.first, last: row.last})).join('&') : oneVersion(row);
}

function oneVersion(row) {
    const {quoted, message, sender} = row;
    return [row.status, message.extra?.width, message.media_url === null, row.item?.upload?.prepared, row.sticker?.url, row.forwardedFrom, row.card && JSON.stringify(row.card), message.edited_at, row.first, row.last, row.recalled, row.item?.problem?.code, row.final, row.name, message.seq === null,
        sender && `${sender.trusted} ${sender.profile.avatar_url}`, row.mentions.map(({name}) => name),
        quoted && `${quoted.name} ${quoted.text}`, row.found].join('|');
}

// Changes when only the reactions and the box to select it have to be drawn anew.
export function detailOf(row) {
    if (row.kind !== 'message')
        return '';
    return JSON.stringify([row.kinds, row.mayReact, row.selected, (row.album ?? [row]).map(({item}) => item?.upload && item.problem === null && [item.upload.sent, item.upload.size, item.upload.waiting])]);
}

// In pixels, before it was ever drawn: lines of the text, and what lies around.
export function estimateHeight(row, width) {
    if (row.kind === 'system')
        return 34;
    if (row.kind !== 'message')
        return 44;
    const {message} = row;
    const perLine = Math.max(16, Math.min(width * 0.75, 560) / 7.6);
    const text = message.content ?? '';
    const lines = text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
    const room = row.album ? 300 : roomOf(message)?.height;
    const media = room ?? {image: 240, video: 240, voice: 60, file: 64, sticker: 150}[message.message_type] ?? 0;
    const large = [0, 55, 40, 27][emojiCount(message)];
    return (row.first ? 10 : 2) + (row.first && row.sender ? 20 : 0) + 32 + lines * 21 + large + (row.quoted ? 52 : 0) + media + (row.kinds.length > 0 ? 32 : 0) +
        (row.forwardedFrom !== null ? 20 : 0) + (row.card ? 50 + 20 * row.card.lines.length : 0);
}
