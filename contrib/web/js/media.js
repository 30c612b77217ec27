// SPDX-License-Identifier: BSD-2-Clause
// What a message carries besides text: a picture, sound, film or file, by its address. `extra` comes from the sender:
// each field is used only if it is of the right type.
import {bdi, el, externalLink, icon, webUrl} from './dom.js';
import {bytes, duration} from './format.js';
import {unspoiled} from './formatting.js';
import {t} from './i18n.js';
import {isVisible, plain, withoutBidi} from './text.js';

const SHOWN_MAX_PX = 320;

const number = (value) => (typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : null);
const text = (value) => (typeof value === 'string' && value !== '' ? value : null);

// message: with message_type and media_url. from: a name, for who cannot see it.
export function mediaOf(message, from) {
    const url = webUrl(message.media_url);
    const altText = `${t(`media.${message.message_type}`)}, ${from}`;
    const extra = message.extra ?? {};
    if (url === null)
        return el('p.media-broken', {}, bdi(message.media_url));
    switch (message.message_type) {
    case 'image':
        return image(url, extra, message.content ? withoutBidi(unspoiled(message.content, message.entities, `[${t('format.spoiler')}]`)) : altText);
    case 'voice':
        return voice(url, extra, altText);
    case 'video':
        return video(url, extra, altText);
    default:
        return file(url, extra);
    }
}

// Room is kept for it before it is there, if its size is told.
function sized(node, extra) {
    const width = number(extra.width), height = number(extra.height);
    if (width === null || height === null)
        return node;
    node.style.aspectRatio = `${width} / ${height}`;
    node.style.width = `${Math.min(width, SHOWN_MAX_PX, (SHOWN_MAX_PX * width) / height)}px`;
    return node;
}

function image(url, extra, altText) {
    const shown = webUrl(extra.thumbnail) ?? url;
    const img = sized(el('img', {src: shown, alt: altText, loading: 'lazy', referrerpolicy: 'no-referrer'}), extra);
    const button = el('button.media-image', {type: 'button', title: t('media.open'), onclick: () => openImage(url, altText)},
        img);
    img.addEventListener('error', () => button.replaceWith(broken(url)));
    return button;
}

function broken(url) {
    return el('p.media-broken', {}, icon('image'), externalLink(url, {}, t('media.broken')));
}

function openImage(url, altText) {
    const dialog = el('dialog.lightbox', {'aria-label': altText, onclick: () => dialog.close(), onclose: () => dialog.remove()},
        el('img', {src: url, alt: altText, referrerpolicy: 'no-referrer'}),
        el('button.icon-button', {type: 'button', 'aria-label': t('media.close')}, icon('close')));
    document.body.append(dialog);
    dialog.showModal();
}

function voice(url, extra, altText) {
    const seconds = number(extra.duration);
    return el('div.media-voice', {}, icon('mic'),
        el('audio', {src: url, controls: true, preload: 'metadata', 'aria-label': altText}),
        seconds === null ? null : el('span.media-note', {}, duration(seconds)));
}

function video(url, extra, altText) {
    const node = el('video.media-video', {src: url, controls: true, preload: 'metadata', playsinline: true,
        poster: webUrl(extra.thumbnail), 'aria-label': altText});
    return sized(node, extra);
}

function file(url, extra) {
    const size = number(extra.size);
    const given = plain(text(extra.file_name) ?? '');
    const name = isVisible(given) ? given : nameIn(url);
    return externalLink(url, {class: 'media-file', 'aria-label': t('media.download', {name})},
        el('span.file-icon', {}, icon('file')),
        el('span.file-text', {},
            el('span.file-name', {}, bdi(name)),
            el('span.media-note', {}, size === null ? new URL(url).host : `${bytes(size)} · ${new URL(url).host}`)));
}

// The last part of the address's path.
export function nameIn(url) {
    const {pathname, host} = new URL(url);
    const last = pathname.split('/').filter(Boolean).at(-1);
    try {
        const name = last === undefined ? host : plain(decodeURIComponent(last));
        return isVisible(name) ? name : host;
    } catch {
        return last;
    }
}
