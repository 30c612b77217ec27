// SPDX-License-Identifier: BSD-2-Clause
// The stickers of the packs that the user has installed, to send one by a click; and the way to more packs.
import {el, icon, iconButton, textButton} from './dom.js';
import {cellFrom, makeReachable} from './grid_keys.js';
import {reasonOf, t} from './i18n.js';
import {plain} from './text.js';
import {stickerImage} from './sticker_image.js';
import {openPacks} from './sticker_packs_dialog.js';

const COLUMNS = 4;

function tabImage(stickers, pack) {
    const {media_url = null, emoji = '?'} = pack.stickers[0] ?? {};
    return stickerImage(stickers.url(media_url), emoji);
}

export class StickerPanel {
    #chat;
    #onPick;
    #shown = null; // what is shown depends on it
    #groups = el('div.emoji-groups.pack-tabs', {role: 'toolbar', 'aria-label': t('stickers.packs'), onkeydown: (event) => this.#groupKey(event)});
    #grid = el('div.emoji-grid.sticker-grid', {role: 'grid', 'aria-label': t('stickers.label'), onclick: ({target}) => this.#pick(target),
        onkeydown: (event) => this.#gridKey(event), onfocusin: ({target}) => target.matches('[data-sticker]') && makeReachable(this.#grid, target)});
    #more = iconButton('plus', t('stickers.browse'), () => openPacks(this.#chat), {class: 'icon-button browse-packs', 'aria-haspopup': 'dialog'});
    node = el('div.emoji-picker.sticker-panel', {}, el('div.pack-bar', {}, this.#groups, this.#more), this.#grid);

    // onPick({pack, id, emoji, media_url})
    constructor(chat, onPick) {
        this.#chat = chat;
        this.#onPick = onPick;
    }

    // To be called when it can be seen.
    async shown() {
        const {stickers} = this.#chat;
        if (!stickers.loaded)
            this.#grid.replaceChildren(el('p.empty', {}, t('room.loading')));
        else
            this.refresh();
        try {
            await stickers.load();
        } catch (problem) {
            if (!stickers.loaded)
                this.#grid.replaceChildren(el('p.empty', {role: 'alert'}, reasonOf(problem)));
        }
        this.refresh();
    }

    focus() {
        if (!matchMedia('(pointer: coarse)').matches)
            (this.#grid.querySelector('[tabindex="0"]') ?? this.#more).focus({preventScroll: true});
    }

    refresh() {
        const {stickers} = this.#chat;
        if (!stickers.loaded)
            return;
        const {recent} = stickers;
        const packs = [...recent.length > 0 ? [{id: '', title: t('emoji.recent'), stickers: recent}] : [],
            ...stickers.installed.map((pack) => ({...pack, stickers: pack.stickers.map((s) => ({...s, pack: pack.id}))}))];
        const shown = JSON.stringify(packs.map(({id, stickers: of}) => [id, of.map((s) => s.media_url)]));
        if (shown === this.#shown)
            return;
        this.#shown = shown;
        const hadFocus = this.#grid.contains(document.activeElement);
        this.#groups.replaceChildren(...packs.map((pack, i) => el('button', {type: 'button', tabindex: i === 0 ? '0' : '-1', 'data-pack': pack.id,
            'aria-label': plain(pack.title), title: plain(pack.title), onclick: () => this.#toPack(pack.id)}, pack.id === '' ? icon('clock') : tabImage(stickers, pack))));
        this.#grid.replaceChildren(...packs.map((pack) => this.#packNode(pack)));
        if (stickers.installed.length === 0)
            this.#grid.append(el('div.empty', {}, el('p', {}, t('stickers.none')), textButton('primary', t('stickers.browse'), () => openPacks(this.#chat))));
        makeReachable(this.#grid, this.#grid.querySelector('[data-sticker]'));
        if (hadFocus && !this.#grid.contains(document.activeElement))
            this.focus();
    }

    #packNode({id, title, stickers}) {
        const rows = [];
        for (let i = 0; i < stickers.length; i += COLUMNS)
            rows.push(el('div.sticker-row', {role: 'row'}, stickers.slice(i, i + COLUMNS).map((one) => this.#cell(one))));
        return el('div.emoji-group', {role: 'rowgroup', 'aria-label': plain(title), 'data-pack': id}, el('p.emoji-heading', {'aria-hidden': 'true', dir: 'auto'}, plain(title)), rows);
    }

    #cell(sticker) {
        const node = el('button', {type: 'button', role: 'gridcell', tabindex: '-1', 'data-sticker': `${sticker.pack} ${sticker.id}`, 'aria-label': t('stickers.send', {emoji: sticker.emoji})},
            stickerImage(this.#chat.stickers.url(sticker.media_url), sticker.emoji));
        node.sticker = sticker;
        return node;
    }

    #pick(target) {
        const {sticker} = target.closest('[data-sticker]') ?? {};
        if (sticker === undefined)
            return;
        this.#chat.stickers.noteSent(sticker);
        this.#onPick(sticker);
    }

    #toPack(id) {
        const group = this.#grid.querySelector(`[data-pack="${CSS.escape(id)}"]`);
        this.#grid.scrollTop = group.offsetTop - this.#grid.offsetTop;
    }

    #groupKey(event) {
        const buttons = [...this.#groups.children];
        const at = buttons.indexOf(document.activeElement);
        const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1}[event.key];
        if (to === undefined || at < 0)
            return;
        event.preventDefault();
        const next = buttons.at(to % buttons.length);
        buttons.forEach((button) => button.setAttribute('tabindex', button === next ? '0' : '-1'));
        next.focus();
    }

    #gridKey(event) {
        const cell = event.target.closest('[data-sticker]');
        const to = cell && cellFrom(this.#grid, cell, event, this.#groups.querySelector('[tabindex="0"]'));
        if (!to)
            return;
        event.preventDefault();
        to.focus({preventScroll: true});
        to.scrollIntoView({block: 'nearest'});
    }
}
