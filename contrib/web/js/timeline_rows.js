// SPDX-License-Identifier: BSD-2-Clause
// What the timeline shows of a conversation, from top to bottom: messages, lines between days, where the new ones begin,
// and what is not sent yet.
import {dayOf} from './clock.js';
import {dayName} from './format.js';
import {t} from './i18n.js';
import {shortText} from './message_view.js';

const GROUP_MS = 5 * 60000; // messages of one sender this close together are drawn as one

const whens = new WeakMap(); // message -> {day, ms}; reckoning them for thousands takes a while

function whenOf(message) {
    let when = whens.get(message);
    if (when === undefined)
        whens.set(message, when = {day: dayOf(message.created_at), ms: Date.parse(message.created_at)});
    return when;
}

export function timelineRows(chat, conversation) {
    const {history, newSeq} = conversation;
    const rows = [{kind: 'top', key: 'top', state: topState(history), peer: conversation.peer}];
    let before = null, isNew = false;
    const add = (row) => {
        const {message} = row;
        const {day} = whenOf(message);
        if (before === null || whenOf(before.message).day !== day) {
            rows.push({kind: 'day', key: `day ${day}`, name: dayName(message.created_at)});
            before = null;
        }
        if (!isNew && !row.own && newSeq !== null && message.seq >= newSeq) {
            isNew = true;
            rows.push({kind: 'new', key: 'new'});
            before = null;
        }
        row.first = before === null || !together(before, row);
        row.last = true;
        if (!row.first)
            before.last = false;
        rows.push(row);
        before = row;
    };
    history.messages.forEach((message) => add(storedRow(chat, conversation, message)));
    for (const item of chat.outgoing.to(conversation.peer.user_id))
        add(unsentRow(chat, conversation, item));
    return rows;
}

function topState(history) {
    if (history.failed)
        return 'failed';
    return history.loaded && !history.hasOlder ? 'begin' : 'loading';
}

function together(a, b) {
    return a.own === b.own && whenOf(b.message).ms - whenOf(a.message).ms < GROUP_MS;
}

// A message keeps its key when it has been stored, and so its element.
export function messageKey(message, me) {
    return message.from_user_id === me && message.client_msg_id !== null ? `c ${message.client_msg_id}` : `m ${message.id}`;
}

function storedRow(chat, conversation, message) {
    const own = message.from_user_id === chat.me;
    const read = message.is_read || message.seq <= conversation.peerReadSeq;
    return {kind: 'message', key: messageKey(message, chat.me), message, own, item: null,
        name: chat.people.name(message.from_user_id), status: !own || message.is_recalled ? null : read ? 'read' : 'sent',
        quoted: quotedBy(chat, conversation, message)};
}

const unsentMessages = new WeakMap(); // item -> message

function unsentRow(chat, conversation, item) {
    let message = unsentMessages.get(item);
    if (!message) {
        const {content = null, media_url = null, extra = null, reply_to = null} = item.draft;
        message = {...item.draft, content, media_url, extra, reply_to, seq: null, id: null, is_recalled: false, is_read: false, created_at: item.at, from_user_id: chat.me};
        unsentMessages.set(item, message);
    }
    return {kind: 'message', key: messageKey(message, chat.me), message, own: true, item, name: null,
        status: item.problem === null ? 'waiting' : 'failed', quoted: quotedBy(chat, conversation, message)};
}

function quotedBy(chat, {history}, {reply_to, is_recalled}) {
    if (!reply_to || is_recalled)
        return null;
    const message = history.byId(reply_to);
    if (message)
        return {name: message.from_user_id === chat.me ? t('message.you') : chat.people.name(message.from_user_id),
            text: shortText(message, chat.me), found: true};
    const gone = history.isDeleted(reply_to) || !history.hasOlder;
    return {name: null, text: t(gone ? 'message.gone' : 'message.earlier'), found: !gone};
}

// Changes when the row has to be drawn anew.
export function versionOf(row) {
    if (row.kind !== 'message')
        return `${row.state} ${row.name}`;
    const {quoted, message} = row;
    return [row.status, row.first, row.last, message.is_recalled, row.item?.problem?.code, row.name, message.seq === null,
        quoted && `${quoted.name} ${quoted.text}`].join('|');
}

// In pixels, before it was ever drawn: lines of the text, and what lies around.
export function estimateHeight(row, width) {
    if (row.kind !== 'message')
        return 44;
    const {message} = row;
    const perLine = Math.max(16, Math.min(width * 0.75, 560) / 7.6);
    const text = message.content ?? '';
    const lines = text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
    const media = {image: 240, video: 240, voice: 60, file: 64}[message.message_type] ?? 0;
    return (row.first ? 10 : 2) + 32 + lines * 21 + (row.quoted ? 52 : 0) + media;
}
