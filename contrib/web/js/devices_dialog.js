// SPDX-License-Identifier: BSD-2-Clause
// Where the user is logged in, and ending what they do not know.
import {el, icon, textButton} from './dom.js';
import {ask, openDialog, say} from './dialog.js';
import {isHandheld} from './device_label.js';
import {fullTime, shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';
import {plain} from './text.js';

// What a login is called; anyone may have chosen the label.
function nameOfLogin({device}) {
    return plain(device ?? '').trim() || t('devices.unknown');
}

// logOutEverywhere(): the user wishes to, and was asked. It leads to the login form.
export function openDevices(chat, logOutEverywhere) {
    const status = el('p.hint', {role: 'status'});
    const list = el('ul.devices', {'aria-label': t('devices.title')});
    const show = async () => {
        try {
            const {items} = await chat.rest.logins();
            const current = items.find((login) => login.current);
            status.textContent = current === undefined ? t('devices.byLink') : items.length === 1 ? t('devices.none') : '';
            const others = items.filter((login) => login !== current);
            list.replaceChildren(...[...current ? [current] : [], ...others].map((login) => deviceNode(chat, login, show)));
        } catch (problem) {
            status.textContent = reasonOf(problem);
        }
    };
    openDialog(t('devices.title'), el('p.hint', {}, t('devices.hint')), list, status,
        el('div.buttons', {}, textButton('danger.end-all', t('devices.endAll'), async () => {
            const count = chat.countUnsent({all: true});
            if (await ask(t(count > 0 ? 'devices.endAllLosesAsk' : 'devices.endAllAsk', {count}), t('devices.endAll')))
                logOutEverywhere();
        })));
    show();
}

function deviceNode(chat, login, show) {
    const {id, created_at, last_used_at, address, current} = login;
    const name = nameOfLogin(login);
    const used = current ? t('devices.usedNow') : t('devices.used', {time: shortTime(last_used_at)});
    const button = !current && textButton('quiet.small', t('devices.end'), () => end(), {'aria-label': t('devices.endOf', {name})});
    const end = async () => {
        button.disabled = true;
        try {
            await chat.rest.endLogin(id);
            say(t('devices.ended', {name}));
            const list = button.closest('ul');
            await show();
            (list.querySelector('button') ?? list.closest('dialog').querySelector('.end-all')).focus();
        } catch (problem) {
            say(reasonOf(problem));
            button.disabled = false;
        }
    };
    return el('li.device', {'data-login': id}, el('span.device-icon', {}, icon(isHandheld(name) ? 'phone' : 'laptop')),
        el('span.person-text', {title: t('devices.since', {time: fullTime(created_at)})}, el('strong.name', {dir: 'auto'}, name),
            el('small', {}, [used, address].filter(Boolean).join(' · '))),
        current && el('span.tag', {}, t('devices.current')), button);
}
