// SPDX-License-Identifier: BSD-2-Clause
// The rows of a timeline as elements. A row says all that is shown: {kind, key, …}; timeline_view.js makes them.
import {bdi, cutOff, el, icon, linked} from './dom.js';
import {clock, fullTime, nameOf, summary} from './format.js';
import {reasonOf, t} from './i18n.js';
import {mediaOf} from './media.js';
import {directionOf} from './text.js';

// actions: menu(row, anchor), goTo(message_id), retry(item), olderAgain()
export function rowNode(row, actions) {
    switch (row.kind) {
    case 'day':
        return el('div.row.separator', {role: 'separator', 'aria-label': row.name}, el('span', {}, row.name));
    case 'new':
        return el('div.row.separator.new', {role: 'separator', 'aria-label': t('room.new')}, el('span', {}, t('room.new')));
    case 'top':
        return topNode(row, actions);
    default:
        return messageNode(row, actions);
    }
}

function topNode({state, peer}, actions) {
    if (state === 'begin')
        return el('div.row.top', {}, t('room.begin', {name: nameOf(peer)}));
    if (state === 'failed')
        return el('div.row.top', {}, t('room.olderFailed'), ' ',
            el('button.link', {type: 'button', onclick: actions.olderAgain}, t('room.retry')));
    return el('div.row.top', {}, el('span.spinner'), t('room.older'));
}

function messageNode(row, actions) {
    const {message, own, name} = row;
    const classes = ['row', 'message', own ? 'own' : 'other', row.first && 'first', row.last && 'last',
        row.status === 'failed' && 'failed', row.status === 'waiting' && 'pending', message.is_recalled && 'recalled']
        .filter(Boolean);
    const node = el('article', {class: classes.join(' '), tabindex: '-1', 'aria-label': t('message.from',
        {name: own ? t('message.you') : name, time: clock(message.created_at)}), 'data-key': row.key,
    'data-seq': message.seq ?? null, 'data-id': message.id ?? null});
    const bubble = el('div.bubble', {dir: directionOf(message.content ?? '') === 'rtl' ? 'rtl' : null}, bubbleContent(row, actions), foot(row));
    const more = el('button.icon-button.more', {type: 'button', tabindex: '-1', 'aria-label': t('message.actions'),
        'aria-haspopup': 'menu', title: t('message.actions'), onclick: () => actions.menu(row, more)}, icon('more'));
    node.append(bubble, more);
    if (row.status === 'failed')
        node.append(failure(row, actions));
    return node;
}

function bubbleContent({message, own, name, quoted}, actions) {
    if (message.is_recalled)
        return el('p.text', {}, t(own ? 'message.recalledOwn' : 'message.recalledOther'));
    return [
        quoted && quote(message.reply_to, quoted, actions),
        message.media_url && mediaOf(message, own ? t('message.you') : name),
        message.content !== null && el('p.text', {dir: 'auto'}, linked(message.content)),
    ];
}

// quoted: {name, text, found}
function quote(id, {name, text, found}, actions) {
    if (!found)
        return el('p.quote', {}, bdi(text));
    return el('button.quote', {type: 'button', title: t('message.goTo'), onclick: () => actions.goTo(id)},
        name !== null && el('strong', {}, bdi(name)), cutOff('span', text));
}

function foot({message, status}) {
    const time = el('time', {datetime: message.created_at, title: fullTime(message.created_at)}, clock(message.created_at));
    const ticks = {sent: ['check', 'message.sent'], read: ['checks', 'message.read'], waiting: ['clock', 'message.waiting'],
        failed: ['alert', 'message.failed']}[status];
    return el('span.foot', {}, time, ticks &&
        el(`span.ticks.${status}`, {role: 'img', 'aria-label': t(ticks[1]), title: t(ticks[1])}, icon(ticks[0])));
}

function failure({item}, actions) {
    return el('p.failure', {}, t('message.failedBecause', {reason: reasonOf(item.problem)}), ' ',
        el('button.link.retry', {type: 'button', onclick: () => actions.retry(item)}, t('message.retry')));
}

// What a reply, the list of conversations and a notification show of a message.
export function shortText(message, me) {
    if (message.is_recalled)
        return t(message.from_user_id === me ? 'message.recalledOwn' : 'message.recalledOther');
    return summary(message);
}
