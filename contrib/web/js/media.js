// SPDX-License-Identifier: BSD-2-Clause
// What a message carries besides text: a picture, sound, film or file. `extra` comes from the sender: each field is used
// only if it is of the right type.
import {bdi, el, externalLink, icon, iconButton} from './dom.js';
import {audioPlayer} from './audio_player.js';
import {bytes} from './format.js';
import {unspoiled} from './formatting.js';
import {t} from './i18n.js';
import {fitted, loadFirst, placeholder} from './picture.js';
import {isVisible, plain, withoutBidi} from './text.js';

const SHOWN_MAX = {width: 340, height: 400};
const LIGHT_BYTES = 400000; // so large a picture is loaded as it is on any screen
const SHARP_BYTES = 3000000; // and so large on one with more pixels than a thumbnail has
const SIDE_MAX = 100000;

const number = (value) => (typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : null);
const text = (value) => (typeof value === 'string' && value !== '' ? value : null);

// {width, height} as the sender tells; null where they do not.
export function sizeOf({extra}) {
    const width = number(extra?.width), height = number(extra?.height);
    return width === null || height === null ? null : {width: Math.min(width, SIDE_MAX), height: Math.min(height, SIDE_MAX)};
}

// The room of a picture or film in the timeline; null where its size is not told.
export function roomOf(message) {
    const size = ['image', 'video'].includes(message.message_type) ? sizeOf(message) : null;
    return size && fitted(size.width, size.height, SHOWN_MAX.width, SHOWN_MAX.height);
}

export function altTextOf(message, from) {
    const content = message.content && withoutBidi(unspoiled(message.content, message.entities, `[${t('format.spoiler')}]`));
    return content || [t(`media.${message.message_type}`), from].filter(Boolean).join(', ');
}

// message: with message_type and media_url. from: a name, for who cannot see it. view: {files, open(message)}.
export function mediaOf(message, from, view) {
    const url = view.files.url(message.media_url);
    const altText = altTextOf(message, from);
    if (url === null)
        return el('p.media-broken', {}, bdi(message.media_url));
    switch (message.message_type) {
    case 'image':
        return image(url, message, altText, view);
    case 'voice':
        return audioPlayer({name: Array.isArray(message.extra?.waveform) ? null : plain(text(message.extra?.file_name) ?? '') || null, current: () => view.files.current(message), renew: (old) => view.files.renew(message, old),
            seconds: number(message.extra?.duration), waveform: message.extra?.waveform, label: altText});
    case 'video':
        return video(url, message, altText, view);
    default:
        return file(url, message, view);
    }
}

// ---- pictures ----

// What to try in turn: a light one where that is enough, the picture, and that by another URL.
function sourcesOf(url, message, {files}, {small, full}) {
    const size = number(message.extra?.size);
    const isMoving = /\.(gif|webp)$/i.test(new URL(url).pathname) && !small;
    const isLight = full || (size !== null && size <= (devicePixelRatio > 1 ? SHARP_BYTES : LIGHT_BYTES) && !small);
    const thumbnail = files.thumbnail(url);
    const renewed = () => files.renew(message, url);
    const light = async () => `${await renewed()}&size=thumb`;
    if (thumbnail === null)
        return [url];
    const first = isMoving || isLight ? [] : [thumbnail, light];
    return files.hasExpired(url) ? [...first.slice(1), renewed] : [...first.slice(0, 1), url, renewed];
}

// What is known of it, or null, and an <img> that takes its place. small: a thumbnail is enough; full: it is not. onBroken():
// it cannot be shown.
export function pictureOf(message, altText, view, {small = false, full = false, onBroken} = {}) {
    const url = view.files.url(message.media_url);
    const img = el('img', {alt: altText, referrerpolicy: 'no-referrer', decoding: 'async', draggable: 'false'});
    const before = placeholder(message);
    img.addEventListener('load', () => before?.remove(), {once: true});
    loadFirst(img, sourcesOf(url, message, view, {small, full}), onBroken ?? (() => {}));
    return [before, img];
}

function image(url, message, altText, view) {
    const room = roomOf(message);
    const button = el('button.media-image', {type: 'button', title: t('media.open'), 'aria-haspopup': 'dialog', onclick: () => view.open(message)});
    if (room !== null)
        setRoom(button, room);
    const show = () => button.replaceChildren(...pictureOf(message, altText, view, {onBroken: () => button.replaceWith(broken(url))}).filter(Boolean));
    if (view.files.isOurs(url))
        show();
    else
        askFirst(button, url, altText, view, show);
    return button;
}

function setRoom(node, {width, height}) {
    node.classList.add('sized');
    node.style.aspectRatio = `${width} / ${height}`;
    node.style.width = `${width}px`;
}

// Of another host: it is loaded when the user says so, or if the server has its files there.
function askFirst(button, url, altText, view, show) {
    const {host} = new URL(url);
    const open = (event) => {
        event.stopImmediatePropagation();
        load();
    };
    const load = () => {
        button.removeEventListener('click', open, true);
        button.removeAttribute('aria-label');
        button.classList.remove('foreign');
        button.title = t('media.open');
        show();
    };
    button.classList.add('foreign');
    button.title = t('media.loadFrom', {host});
    button.setAttribute('aria-label', `${altText}. ${t('media.loadFrom', {host})}`);
    button.append(icon('image'), el('span', {}, t('media.loadFrom', {host})));
    button.addEventListener('click', open, true);
    view.files.belongsToUs(url).then((isOurs) => isOurs && button.classList.contains('foreign') && load());
}

function broken(url) {
    return el('p.media-broken', {}, icon('image'), externalLink(url, {}, t('media.broken')));
}

// ---- films ----

function video(url, message, altText, view) {
    const poster = view.files.thumbnail(url) ?? null;
    const node = el('video.media-video', {controls: true, playsinline: true, 'aria-label': altText,
        preload: view.files.isOurs(url) && poster === null ? 'metadata' : 'none'});
    const size = sizeOf(message);
    if (size !== null) {
        const room = roomOf(message);
        node.style.aspectRatio = `${size.width} / ${size.height}`;
        node.style.width = `${room.width}px`;
    }
    const use = (now) => {
        node.src = now;
        const picture = view.files.thumbnail(now);
        if (picture !== null)
            node.poster = picture;
    };
    if (view.files.hasExpired(url))
        view.files.renew(message, url).then(use, () => use(url));
    else
        use(url);
    node.addEventListener('error', () => view.files.renew(message, url).then((fresh) => node.src !== fresh && use(fresh), () => {}));
    return node;
}

// ---- files ----

// The name that the sender gave it, or the last part of its address.
export function fileNameOf(message, url) {
    const given = plain(text(message.extra?.file_name) ?? '');
    return isVisible(given) ? given : nameIn(url);
}

function file(url, message, view) {
    const size = number(message.extra?.size);
    const name = fileNameOf(message, url);
    const isOurs = view.files.isOurs(url);
    const ending = name.match(/\.([A-Za-z0-9]{1,5})$/)?.[1].toUpperCase() ?? null;
    const where = isOurs ? null : new URL(url).host;
    const link = externalLink(url, {class: 'media-file', 'aria-label': t(isOurs ? 'media.save' : 'media.download', {name}), download: isOurs ? name : null},
        el('span.file-icon', {'data-ending': ending}, icon('file')),
        el('span.file-text', {},
            el('span.file-name', {}, bdi(name)),
            el('span.media-note', {}, [size === null ? null : bytes(size), where].filter(Boolean).join(' · '))));
    link.addEventListener('click', async (event) => {
        if (!view.files.hasExpired(link.href))
            return;
        event.preventDefault();
        const fresh = await view.files.current(message);
        if (!view.files.hasExpired(fresh)) {
            link.href = fresh;
            link.click();
        }
    });
    return link;
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

// ---- on its way ----

// What is sent from here, before it is stored. message: that of the row; upload: of its item.
export function uploadNode(message, upload) {
    const room = roomOf(message);
    if (room === null)
        return el('div.media-file.going', {}, el('span.file-icon', {}, icon(message.message_type === 'voice' ? 'mic' : message.message_type === 'video' ? 'video' : 'file')),
            el('span.file-text', {}, el('span.file-name', {}, bdi(upload.file.name)), el('span.media-note', {}, bytes(upload.file.size))));
    const node = el('div.media-image.going', {}, placeholder(message));
    setRoom(node, room);
    return node;
}

// How far it has come, and how to stop it. Drawn anew while the rest stays.
export function transferNode({sent, size, waiting}, cancel) {
    const share = size > 0 ? Math.floor(100 * sent / size) : 0;
    const label = waiting ? t('upload.waiting') : t('upload.progress', {percent: share});
    const bar = el('span.transfer-bar', {role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': share, 'aria-label': label}, el('span'));
    bar.firstChild.style.width = `${share}%`;
    return el('div.transfer', {}, bar, el('span.media-note', {}, waiting ? label : `${bytes(sent)} / ${bytes(size)}`),
        iconButton('close', t('upload.cancel'), cancel, {class: 'icon-button cancel-upload'}));
}
