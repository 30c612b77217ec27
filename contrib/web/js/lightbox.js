// SPDX-License-Identifier: BSD-2-Clause
// Pictures and films over the whole page, one after the other: by buttons, arrow keys or a finger.
import {cutOff, el, externalLink, icon, iconButton} from './dom.js';
import {summary} from './format.js';
import {t} from './i18n.js';
import {altTextOf, fileNameOf, mediaOf, pictureOf} from './media.js';

const SWIPE_PX = 50;

// What it can show.
export function isShowable(message) {
    return ['image', 'video'].includes(message.message_type) && !message.is_recalled && message.media_url !== null;
}

// messages: in order, among them the one to begin with. view: {files}. nameOf(message): who sent it. menu(message, anchor), or
// null.
export function openLightbox(messages, first, {files}, nameOf, menu = null) {
    const shown = messages.filter((m) => m === first || (m.id !== undefined && m.id === first.id) || files.isOurs(files.url(m.media_url) ?? 'about:blank'));
    let at = Math.max(0, shown.findIndex((m) => m === first || (m.id !== undefined && m.id === first.id)));
    const stage = el('div.stage');
    const count = el('span.lightbox-count', {role: 'status'});
    const title = cutOff('p.lightbox-title', '');
    const save = externalLink('', {class: 'icon-button', 'aria-label': t('media.saveThis'), title: t('media.saveThis')}, icon('download'));
    const more = menu && iconButton('more', t('message.actions'), () => menu(shown[at], more), {'aria-haspopup': 'menu'});
    const before = iconButton('back', t('media.before'), () => show(at - 1), {class: 'icon-button before'});
    const after = iconButton('back', t('media.after'), () => show(at + 1), {class: 'icon-button after'});
    const close = iconButton('close', t('media.close'), () => dialog.close());
    const dialog = el('dialog.lightbox', {'aria-label': t('media.lightbox'), onclose: () => dialog.remove()},
        stage, el('div.lightbox-top', {}, title, count, save, more, close), before, after);
    const show = (to) => {
        if (to < 0 || to >= shown.length)
            return;
        at = to;
        const message = shown[at], from = nameOf(message);
        const altText = altTextOf(message, from);
        stage.replaceChildren(...contentOf(message, altText, from, {files, open: () => {}}));
        title.textContent = [from, summary({...message, message_type: 'text'})].filter(Boolean).join(': ');
        count.textContent = shown.length > 1 ? `${at + 1} / ${shown.length}` : '';
        save.href = files.url(message.media_url);
        save.download = fileNameOf(message, save.href);
        files.current(message).then((url) => {
            if (shown[at] === message)
                save.href = url;
        });
        before.hidden = at === 0;
        after.hidden = at === shown.length - 1;
        if (document.activeElement?.hidden)
            close.focus();
    };
    dialog.addEventListener('keydown', (event) => {
        const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
        if (step === undefined || event.target.closest('video, .menu'))
            return;
        event.preventDefault();
        show(at + step);
    });
    stage.addEventListener('click', ({target}) => target === stage && dialog.close());
    onSwipe(stage, (step) => show(at + step), () => dialog.close());
    document.body.append(dialog);
    dialog.showModal();
    close.focus();
    show(at);
}

function contentOf(message, altText, from, view) {
    if (message.message_type === 'video')
        return [mediaOf(message, from, view)];
    const [before, img] = pictureOf(message, altText, view, {full: true, onBroken: () => img.replaceWith(el('p', {}, t('media.gone')))});
    return [before, img].filter(Boolean);
}

// To the left the next one, downwards away.
function onSwipe(stage, move, close) {
    let start = null;
    stage.addEventListener('pointerdown', ({target, pointerType, clientX, clientY}) => {
        start = pointerType === 'mouse' || target.closest('video') ? null : {x: clientX, y: clientY};
    });
    stage.addEventListener('pointermove', ({clientX}) => {
        if (start !== null)
            stage.style.translate = `${clientX - start.x}px 0`;
    });
    const end = ({type, clientX, clientY}) => {
        stage.style.translate = '';
        if (start === null)
            return;
        const [x, y] = [clientX - start.x, clientY - start.y];
        start = null;
        if (type === 'pointercancel')
            return;
        if (Math.abs(x) > SWIPE_PX && Math.abs(x) > Math.abs(y))
            move(x < 0 ? 1 : -1);
        else if (y > 2 * SWIPE_PX)
            close();
    };
    stage.addEventListener('pointerup', end);
    stage.addEventListener('pointercancel', end);
}
