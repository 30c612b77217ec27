// SPDX-License-Identifier: BSD-2-Clause
// What was forwarded: who wrote it first, a card for messages that were merged into one, and a reader for its parts.
import {avatar} from './avatar.js';
import {bdi, cutOff, el, icon, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {clock, dayName, fullTime, summary} from './format.js';
import {authorName, cardOf} from './forwarded.js';
import {reasonOf, t} from './i18n.js';
import {openLightbox} from './lightbox.js';
import {mediaOf} from './media.js';
import {richText} from './rich_text.js';
import {stickerImage} from './sticker_image.js';

export function forwardedFrom(name) {
    return el('p.forwarded-from', {}, icon('forward'), el('span', {}, t('forward.from', {name})));
}

// open(): the reader
export function cardNode({title, lines, count}, open) {
    return el('button.merged', {type: 'button', 'aria-haspopup': 'dialog', onclick: open}, cutOff('strong', title),
        lines.map(({name, text}) => el('span.merged-line', {}, cutOff('span', `${name}: ${text}`))),
        el('span.merged-foot', {}, icon('chat'), t('forward.count', {count})));
}

// part: of a merged message within a merged one; null for the message itself.
export async function openForwarded(chat, message, title, part = null) {
    const status = el('p.hint', {role: 'status'}, t('room.loading'));
    const list = el('ol.parts');
    const more = textButton('quiet', t('members.more'), () => load(), {hidden: true});
    const dialog = openDialog(title, list, status, more);
    dialog.classList.add('forwarded-dialog');
    let cursor = null, lastDay = null;
    const load = async () => {
        try {
            const page = await chat.rest.forwarded(message.id, {part: part ?? undefined, cursor});
            cursor = page.next_cursor;
            for (const one of page.items) {
                const day = dayName(one.created_at);
                if (day !== lastDay)
                    list.append(el('li.part-day', {}, el('span', {}, day)));
                lastDay = day;
                list.append(partNode(chat, message, one));
            }
            status.textContent = '';
            more.hidden = cursor === null;
        } catch (problem) {
            status.textContent = problem.code === 'not_found' ? t('message.gone') : reasonOf(problem);
        }
    };
    await load();
}

function partNode(chat, message, one) {
    const name = authorName(chat, one.from_user_id, one.nickname);
    const profile = {...chat.people.profile(one.from_user_id), nickname: name};
    return el('li.part', {'data-part': one.part}, avatar(profile, chat.people.isTrusted(one.from_user_id)),
        el('div.part-body', {}, el('p.part-top', {}, cutOff('strong', name), el('time', {datetime: one.created_at, title: fullTime(one.created_at)}, clock(one.created_at))),
            one.forwarded_from && forwardedFrom(authorName(chat, one.forwarded_from.user_id, one.forwarded_from.nickname, t('system.you'))), partContent(chat, message, one, name)));
}

function partContent(chat, message, one, name) {
    if (one.message_type === 'forward') {
        const card = cardOf(chat, one);
        return cardNode(card, () => openForwarded(chat, message, card.title, one.part));
    }
    if (one.message_type === 'sticker') {
        const {url, emoji} = chat.stickers.shownBy(one);
        return el('span.sticker', {}, stickerImage(url, emoji));
    }
    return [one.media_url && mediaOf(one, name, {files: chat.files, open: () => openLightbox([one], one, {files: chat.files}, () => name)}), one.content && richText({...one, id: `${message.id} ${one.part}`, edited_at: null}, []),
        !one.media_url && !one.content && el('p.text', {}, bdi(summary(one) ?? ''))];
}
