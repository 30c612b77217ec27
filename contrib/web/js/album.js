// SPDX-License-Identifier: BSD-2-Clause
// Several pictures that were sent together, as one block: rows of two or three, each filled.
import {el, icon} from './dom.js';
import {t} from './i18n.js';
import {altTextOf, pictureOf} from './media.js';
import {placeholder} from './picture.js';

// How many there are in each row of the block.
export function albumRows(count) {
    const rows = [];
    for (let left = count; left > 0;) {
        const take = left === 4 || left === 2 ? 2 : left === 1 ? 1 : 3;
        rows.push(Math.min(take, left));
        left -= take;
    }
    return rows;
}

// rows: those of its messages. from: a name.
export function albumNode(rows, from, actions) {
    const tiles = rows.map((row) => tile(row, from, actions));
    const places = albumRows(rows.length).flatMap((n) => Array(n).fill(n));
    tiles.forEach((node, i) => node.style.setProperty('--in-row', places[i]));
    return el('div.album', {role: 'group', 'aria-label': t('album.label', {count: rows.length})}, tiles);
}

function tile({message, key, item}, from, {media, menu}) {
    const attributes = {'data-key': key, 'data-id': message.id ?? null, 'data-seq': message.seq ?? null};
    if (item !== null || message.media_url === null)
        return el('div.tile.going', attributes, placeholder(message));
    const url = media.files.url(message.media_url);
    const altText = altTextOf(message, from);
    const isShown = message.message_type === 'image' && url !== null && media.files.isOurs(url);
    const isFilm = message.message_type === 'video';
    const content = isShown || (isFilm && url !== null && media.files.thumbnail(url) !== null) ? picture(message, altText, media) : [icon(isFilm ? 'video' : 'image')];
    return el('button.tile', {...attributes, type: 'button', 'aria-haspopup': 'dialog', 'aria-label': altText, title: t('media.open'), onclick: () => media.open(message),
        oncontextmenu: (event) => {
            event.preventDefault();
            menu({key}, event.currentTarget);
        }}, content, isFilm && el('span.film-sign', {}, icon('play')));
}

function picture(message, altText, view) {
    const [before, img] = pictureOf(message, altText, view, {small: true, onBroken: () => img.replaceWith(icon(message.message_type === 'video' ? 'video' : 'image'))});
    return [before, img];
}
