// SPDX-License-Identifier: BSD-2-Clause
import {el} from './dom.js';

// A sticker's picture; its emoji where there is none, or it does not come. url: an address to load from, or null.
export function stickerImage(url, emoji) {
    const instead = () => el('span.sticker-emoji', {}, emoji);
    if (url === null)
        return instead();
    const img = el('img', {src: url, alt: emoji, loading: 'lazy', draggable: 'false', referrerpolicy: 'no-referrer', onerror: () => img.replaceWith(instead())});
    return img;
}
