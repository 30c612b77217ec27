// SPDX-License-Identifier: BSD-2-Clause
// Packs of stickers to install and to take away again: all that there are, or the one of a sticker that was sent.
import {bdi, el, textButton} from './dom.js';
import {openDialog, say} from './dialog.js';
import {reasonOf, t} from './i18n.js';
import {plain} from './text.js';
import {stickerImage} from './sticker_image.js';

const PREVIEWED = 6;

// What there is about one pack. previewed: how many of its stickers.
function packNode(chat, pack, previewed) {
    const {stickers} = chat;
    const button = textButton('small', '', () => change());
    const show = () => {
        const installed = stickers.isInstalled(pack.id);
        button.className = installed ? 'quiet small' : 'primary small';
        button.textContent = t(installed ? 'stickers.uninstall' : 'stickers.install');
        button.setAttribute('aria-label', t(installed ? 'stickers.uninstallOf' : 'stickers.installOf', {title: plain(pack.title)}));
    };
    const change = async () => {
        button.disabled = true;
        try {
            await (stickers.isInstalled(pack.id) ? stickers.uninstall(pack) : stickers.install(pack));
        } catch (problem) {
            say(problem.code === 'conflict' ? t('stickers.tooMany') : reasonOf(problem));
        }
        button.disabled = false;
        show();
        button.focus();
    };
    show();
    return el('li.pack', {'data-pack': pack.id},
        el('div.pack-top', {}, el('span.person-text', {}, el('strong.name', {}, bdi(plain(pack.title))), el('small', {}, t('stickers.count', {count: pack.stickers.length}))), button),
        el('ul.pack-stickers', {}, pack.stickers.slice(0, previewed).map((one) => el('li', {}, stickerImage(stickers.url(one.media_url), one.emoji)))));
}

export async function openPacks(chat) {
    const status = el('p.hint', {role: 'status'}, t('room.loading'));
    const list = el('ul.packs');
    const more = textButton('quiet', t('members.more'), () => load(), {hidden: true});
    openDialog(t('stickers.all'), status, list, more);
    let cursor = null;
    const load = async () => {
        try {
            if (!chat.stickers.loaded)
                await chat.stickers.load();
            const page = await chat.stickers.packs(cursor);
            cursor = page.next_cursor;
            list.append(...page.items.map((pack) => packNode(chat, pack, PREVIEWED)));
            status.textContent = list.children.length === 0 ? t('stickers.noPacks') : '';
            more.hidden = cursor === null;
        } catch (problem) {
            status.textContent = reasonOf(problem);
        }
    };
    await load();
}

// The pack of a sticker in a message.
export async function openPack(chat, id) {
    const status = el('p.hint', {role: 'status'}, t('room.loading'));
    const list = el('ul.packs');
    openDialog(t('stickers.pack'), status, list);
    try {
        if (!chat.stickers.loaded)
            await chat.stickers.load();
        list.append(packNode(chat, await chat.stickers.pack(id), Infinity));
        status.textContent = '';
    } catch (problem) {
        status.textContent = problem.code === 'not_found' ? t('stickers.gone') : reasonOf(problem);
    }
}
