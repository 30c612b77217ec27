// SPDX-License-Identifier: BSD-2-Clause
// The pictures, films, recordings and files of a conversation, the newest first, and older ones page by page.
import {el, icon, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {dayName, shortTime} from './format.js';
import {t} from './i18n.js';
import {isShowable, openLightbox} from './lightbox.js';
import {altTextOf, mediaOf, pictureOf} from './media.js';

const PAGES_AT_ONCE = 5; // of messages, for one that has some

const TABS = {
    pictures: isShowable,
    files: (m) => ['file', 'voice'].includes(m.message_type) && !m.is_recalled && m.media_url !== null,
};

// goTo(message): in the conversation
export function openOverview(chat, c, goTo) {
    const grid = el('div.overview', {role: 'tabpanel', id: 'overview-panel', 'aria-labelledby': 'overview-tab-pictures'});
    const status = el('p.hint', {role: 'status'});
    const more = textButton('quiet', t('overview.more'), () => load());
    let shown = 'pictures';
    const nameOf = ({from_user_id}) => (from_user_id === chat.me ? t('message.you') : chat.people.name(from_user_id));
    const all = () => c.history.messages.filter((m) => TABS[shown](m)).reverse();
    const open = (message) => openLightbox(c.history.messages.filter(isShowable), message, {files: chat.files}, nameOf);
    const leave = (message) => {
        dialog.close();
        goTo(message);
    };
    const nodeOf = (message) => (shown === 'pictures' ? tile(message, nameOf(message), {files: chat.files, open}) :
        el('li', {}, mediaOf(message, nameOf(message), {files: chat.files, open}),
            el('p.media-note', {}, `${nameOf(message)}, ${shortTime(message.created_at)} `, textButton('link', t('overview.goTo'), () => leave(message)))));
    let listed = null; // the ids that are drawn
    const refresh = () => {
        const messages = all();
        const ids = `${shown} ${messages.map(({id}) => id)}`;
        if (ids !== listed) {
            listed = ids;
            grid.replaceChildren(...shown === 'pictures' ? byDay(messages, nodeOf) : [el('ul.overview-files', {}, messages.map(nodeOf))]);
        }
        more.hidden = !c.history.hasOlder || c.history.loading !== null;
        status.textContent = c.history.loading !== null ? t('room.older') : c.history.failed ? t('room.olderFailed') :
            messages.length === 0 ? t(c.history.hasOlder ? 'overview.noneYet' : 'overview.none') : '';
    };
    const load = async () => {
        const before = all().length;
        for (let i = 0; i < PAGES_AT_ONCE && dialog.isConnected && c.history.hasOlder && all().length === before; i++) {
            const loading = chat.pages.load(c);
            refresh();
            await loading;
            if (c.history.failed)
                break;
        }
        refresh();
    };
    const choose = (name) => {
        shown = name;
        for (const tab of tabs.children) {
            const isShown = tab.dataset.tab === name;
            tab.setAttribute('aria-selected', String(isShown));
            tab.tabIndex = isShown ? 0 : -1;
        }
        grid.setAttribute('aria-labelledby', `overview-tab-${name}`);
        refresh();
        if (all().length === 0)
            load();
    };
    const tabs = el('div.tabs.overview-tabs', {role: 'tablist', 'aria-label': t('overview.menu'), onkeydown: (event) => {
        if (!['ArrowLeft', 'ArrowRight'].includes(event.key))
            return;
        choose(shown === 'pictures' ? 'files' : 'pictures');
        tabs.querySelector('[aria-selected=true]').focus();
    }}, Object.keys(TABS).map((name) => el('button', {type: 'button', role: 'tab', id: `overview-tab-${name}`, 'data-tab': name, 'aria-controls': 'overview-panel', onclick: () => choose(name)}, t(`overview.${name}`))));
    const dialog = openDialog(t('overview.menu'), tabs, grid, status, el('div.buttons', {}, more));
    dialog.classList.add('overview-dialog');
    choose('pictures');
}

function byDay(messages, nodeOf) {
    const days = new Map();
    for (const message of messages) {
        const name = dayName(message.created_at);
        days.set(name, [...days.get(name) ?? [], message]);
    }
    return [...days].map(([name, of]) => el('section', {}, el('h3', {}, name), el('div.overview-grid', {}, of.map(nodeOf))));
}

function tile(message, from, view) {
    const altText = altTextOf(message, from);
    const url = view.files.url(message.media_url);
    const isFilm = message.message_type === 'video';
    const isOurs = url !== null && view.files.isOurs(url);
    const nothing = () => icon(isFilm ? 'video' : 'image');
    const button = el('button.tile', {type: 'button', 'aria-label': altText, 'aria-haspopup': 'dialog', 'data-id': message.id, onclick: () => view.open(message)}, isFilm && el('span.film-sign', {}, icon('play')));
    if (!isOurs || (isFilm && view.files.thumbnail(url) === null))
        button.prepend(nothing());
    else {
        const [before, img] = pictureOf(message, altText, view, {small: true, onBroken: () => img.replaceWith(nothing())});
        button.prepend(...[before, img].filter(Boolean));
    }
    return button;
}
