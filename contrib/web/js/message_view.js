// SPDX-License-Identifier: BSD-2-Clause
// The rows of a timeline as elements. A row says all that is shown: {kind, key, …}; timeline_view.js makes them.
import {avatar, hueOf} from './avatar.js';
import {bdi, cutOff, el, icon, sign} from './dom.js';
import {clock, fullTime} from './format.js';
import {cardNode, forwardedFrom} from './forwarded_view.js';
import {hasText, reasonOf, t} from './i18n.js';
import {albumNode} from './album.js';
import {mediaOf, roomOf, transferNode, uploadNode} from './media.js';
import {emojiCount} from './message_text.js';
import {showReactions} from './reactions_view.js';
import {richText} from './rich_text.js';
import {stickerImage} from './sticker_image.js';
import {directionOf} from './text.js';

// actions: menu(row, anchor), person(user_id, anchor), goTo(message_id), retry(item), discard(item), olderAgain(), newerAgain(), toDate(time),
// react(row, emoji), reactions(row, emoji), addReaction(row, anchor),
// forwarded(message, title), select(key), cancelUpload(item), media: {files, open(message)}
export function rowNode(row, actions) {
    switch (row.kind) {
    case 'day':
        return el('div.row.separator', {}, el('button.day', {type: 'button', tabindex: '-1', title: t('date.title'), 'aria-haspopup': 'dialog',
            'aria-label': t('date.ofDay', {day: row.name}), onclick: () => actions.toDate(row.time)}, el('span', {}, row.name)));
    case 'new':
        return el('div.row.separator.new', {role: 'separator', 'aria-label': t('room.new')}, el('span', {}, t('room.new')));
    case 'top':
        return topNode(row, actions);
    case 'bottom':
        return bottomNode(row, actions);
    case 'system':
        return el('article.row.system', {tabindex: '-1', 'data-seq': row.message.seq, 'data-key': row.key, 'aria-label': row.text},
            el('span', {title: fullTime(row.message.created_at)}, row.text));
    default:
        return messageNode(row, actions);
    }
}

function topNode({state, name, isGroup, isLater}, actions) {
    if (state === 'begin')
        return el('div.row.top', {}, t(isLater ? 'room.beginLater' : isGroup ? 'group.begin' : 'room.begin', {name}));
    if (state === 'failed')
        return el('div.row.top', {}, t('room.olderFailed'), ' ',
            el('button.link', {type: 'button', onclick: actions.olderAgain}, t('room.retry')));
    return el('div.row.top', {}, el('span.spinner'), t('room.older'));
}

function bottomNode({state}, actions) {
    if (state === 'failed')
        return el('div.row.top', {}, t('room.newerFailed'), ' ', el('button.link', {type: 'button', onclick: actions.newerAgain}, t('room.retry')));
    return el('div.row.top', {}, el('span.spinner'), t('room.newer'));
}

function messageNode(row, actions) {
    const {message, own, name} = row;
    const classes = ['row', 'message', own ? 'own' : 'other', row.first && 'first', row.last && 'last',
        row.status === 'failed' && 'failed', row.status === 'waiting' && 'pending', message.is_recalled && 'recalled',
        row.sender && 'in-group', isPictured(row) && 'pictured', isPictured(row) && !message.content && 'bare', row.ofMe && 'of-me', ...aloneClasses(row)].filter(Boolean);
    const label = [t('message.from', {name: own ? t('message.you') : name, time: clock(message.created_at)}),
        row.ofMe && t('mention.ofYou'), isEdited(message) && t('message.edited')].filter(Boolean).join(', ');
    const node = el('article', {class: classes.join(' '), tabindex: '-1', 'aria-label': label,
        'data-key': row.key, 'data-seq': message.seq ?? null, 'data-id': message.id ?? null});
    const bubble = el('div.bubble', {dir: directionOf(message.content ?? '') === 'rtl' ? 'rtl' : null}, senderName(row, actions),
        bubbleContent(row, actions), foot(row));
    if (isPictured(row))
        bubble.style.width = `${row.album ? ALBUM_PX : roomOf(message).width}px`;
    const more = el('button.icon-button.more', {type: 'button', tabindex: '-1', 'aria-label': t('message.actions'),
        'aria-haspopup': 'menu', title: t('message.actions'), onclick: () => actions.menu(row, more)}, icon('more'));
    node.append(...senderPicture(row, actions), bubble, more);
    if (row.status === 'failed')
        node.append(failure({...row, item: row.failedItem ?? row.item}, actions));
    showDetail(node, row, actions);
    return node;
}

// What changes often, and is drawn without the rest: a film that plays goes on.
export function showDetail(node, row, actions) {
    if (row.kind !== 'message')
        return;
    showReactions(node, row, actions);
    showTransfers(node, row, actions);
    showBox(node, row, actions);
}

const isGoing = (item) => Boolean(item?.upload) && item.problem === null;

// How far the files have come that are on their way.
function showTransfers(node, row, actions) {
    for (const {key, item} of row.album ?? [row]) {
        const place = row.album ? node.querySelector(`.tile[data-key="${CSS.escape(key)}"]`) : node.querySelector('.bubble');
        const old = place?.querySelector(':scope > .transfer');
        if (!isGoing(item)) {
            old?.remove();
            continue;
        }
        const hadFocus = old?.contains(document.activeElement);
        const fresh = transferNode(item.upload, () => actions.cancelUpload(item));
        if (old)
            old.replaceWith(fresh);
        else if (row.album)
            place?.append(fresh);
        else
            place?.querySelector('.going')?.after(fresh);
        if (hadFocus)
            fresh.querySelector('button').focus();
    }
}

// Whether it fills its bubble to the edge.
function isPictured(row) {
    const {message, sticker, status} = row;
    return sticker === null && !message.is_recalled && status !== 'failed' && (Boolean(row.album) || ((message.media_url !== null || row.item !== null) && roomOf(message) !== null));
}

// selected: true or false while messages are selected and this one can be; null else.
function showBox(node, {selected = null, key}, actions) {
    const box = node.querySelector(':scope > .select');
    node.classList.toggle('selected', selected === true);
    if (selected === null)
        box?.remove();
    else if (box !== null)
        box.checked = selected;
    else {
        const label = `${t('selection.one')}: ${node.getAttribute('aria-label')}`;
        node.prepend(el('input.select', {type: 'checkbox', tabindex: '-1', checked: selected, 'aria-label': label, onchange: () => actions.select(key)}));
    }
}

// Emoji alone are large. They and stickers need no bubble where nothing else is in it.
function aloneClasses({message, sticker, quoted, status}) {
    const count = emojiCount(message);
    return [count > 0 && `alone-${count}`, sticker !== null && 'has-sticker', (count > 0 || sticker !== null) && quoted === null && status !== 'failed' && 'alone'];
}

// In a group: above the first of several messages, in the person's colour.
function senderName({sender, first, name, message}, actions) {
    if (sender === null || !first)
        return null;
    const button = el(`button.sender.ink-${hueOf(message.from_user_id)}`, {type: 'button', tabindex: '-1', 'aria-haspopup': 'menu',
        'aria-label': t('message.about', {name}), onclick: () => actions.person(message.from_user_id, button)}, cutOff('span', name));
    return button;
}

// Beside the last of several, and the room for it beside the others.
function senderPicture({sender, last, name, message}, actions) {
    if (sender === null)
        return [];
    if (!last)
        return [el('span.sender-picture')];
    const button = el('button.sender-picture', {type: 'button', tabindex: '-1', title: name, 'aria-hidden': 'true',
        onclick: () => actions.person(message.from_user_id, button)}, avatar(sender.profile, sender.trusted));
    return [button];
}

const ALBUM_PX = 340;

function mediaNode(row, actions) {
    const {message, own, name, item, album} = row;
    if (album)
        return albumNode(album, own ? t('message.you') : name, actions);
    if (item !== null && (item.upload || message.media_url?.startsWith('tidings:')))
        return uploadNode(message, item.upload ?? {file: {name: message.extra?.file_name ?? '', size: message.extra?.size ?? 0}});
    return message.media_url && mediaOf(message, own ? t('message.you') : name, actions.media);
}

function bubbleContent(row, actions) {
    const {message, quoted, recalled, mentions, sticker, forwardedFrom: from, card, found} = row;
    if (message.is_recalled)
        return el('p.text', {}, recalled);
    return [
        from !== null && forwardedFrom(from),
        card !== null && cardNode(card, () => actions.forwarded(message, card.title)),
        quoted && quote(message.reply_to, quoted, actions),
        sticker !== null ? el('span.sticker', {}, stickerImage(sticker.url, sticker.emoji)) : mediaNode(row, actions),
        message.content && richText(message, mentions, found),
    ];
}

// quoted: {name, text, found}
function quote(id, {name, text, found}, actions) {
    if (!found)
        return el('p.quote', {}, bdi(text));
    return el('button.quote', {type: 'button', title: t('message.goTo'), onclick: () => actions.goTo(id)},
        name !== null && el('strong', {}, bdi(name)), cutOff('span', text));
}

const isEdited = ({edited_at, is_recalled}) => Boolean(edited_at) && !is_recalled;

// Classes, the icon, and the text. Each has a shape of its own: not everybody sees colours.
const TICKS = {
    waiting: ['waiting', 'clock', 'message.waiting'],
    failed: ['failed', 'alert', 'message.failed'],
    sent: ['sent', 'check', 'message.sent'],
    delivered: ['sent.delivered', 'checks', 'message.delivered'],
    read: ['read', 'seen', 'message.read'],
};

// Null where there is nothing to tell of.
export function ticksNode(status) {
    const ticks = TICKS[status];
    return ticks ? el(`span.ticks.${ticks[0]}`, {role: 'img', 'aria-label': t(ticks[2]), title: t(ticks[2])}, icon(ticks[1])) : null;
}

function foot({message, status}) {
    const time = el('time', {datetime: message.created_at, title: fullTime(message.created_at)}, clock(message.created_at));
    const edited = isEdited(message) && el('span.edited', {title: t('message.editedAt', {time: fullTime(message.edited_at)})}, t('message.edited'));
    const timer = message.expires_at && !message.is_recalled && sign('timer', t('message.expires', {time: fullTime(message.expires_at)}));
    return el('span.foot', {}, timer, edited, time, ticksNode(status));
}

function failure({item, final}, actions) {
    const button = final ? el('button.link.discard', {type: 'button', onclick: () => actions.discard(item)}, t('message.discard')) :
        el('button.link.retry', {type: 'button', onclick: () => actions.retry(item)}, t('message.retry'));
    const discard = item.upload && !final && el('button.link.discard', {type: 'button', onclick: () => actions.discard(item)}, t('message.discard'));
    return el('p.failure', {}, t('message.failedBecause', {reason: item.upload ? uploadFault(item.problem) : reasonOf(item.problem)}), ' ', button, discard && [' ', discard]);
}

// What is wrong with a file, in words.
function uploadFault(problem) {
    const key = `upload.${problem.code}`;
    return hasText(key) ? t(key) : reasonOf(problem);
}
