// SPDX-License-Identifier: BSD-2-Clause
// Profile, language, appearance, notifications of the browser, devices and password, the way to the API's page, and
// logging out.
import {alertsAllowed, alertsWanted, wantAlerts} from './alerts.js';
import {avatar} from './avatar.js';
import {openChangePassword} from './change_password_dialog.js';
import {openDeleteAccount} from './delete_account_dialog.js';
import {cutOff, el, externalLink, icon, textButton} from './dom.js';
import {openDevices} from './devices_dialog.js';
import {ask, openDialog, say} from './dialog.js';
import {field} from './field.js';
import {nameOf} from './format.js';
import {chooseLanguage, language, languages, reasonOf, t} from './i18n.js';
import {wishedName} from './names.js';
import {PictureField} from './picture_field.js';
import {soundWanted, wantSound} from './sound.js';
import {chooseTheme, theme, themes} from './theme.js';

// logOut({all}): the user wishes to, and was asked
export function openSettings(chat, logOut) {
    openDialog(t('settings.title'), profileForm(chat),
        el('div.settings', {}, languageField(),
            field(t('settings.theme'), select(themes.map((name) => [name, t(`settings.theme.${name}`)]), theme(), chooseTheme)),
            alertsField(), pushField(chat.push), soundField()), accountSection(chat, logOut), blockedSection(chat),
        el('div.buttons', {}, textButton('danger.log-out', t('settings.logOut'), async () => {
            const count = chat.countUnsent();
            if (count > 0 && !await ask(t('settings.logOutAsk', {count}), t('settings.logOut')))
                return;
            logOut({all: false});
        })),
        el('p.hint', {}, externalLink('api.html', {}, t('settings.api'))));
}

function select(options, value, onChange) {
    return el('select', {onchange: (event) => onChange(event.target.value)},
        options.map(([name, label]) => el('option', {value: name, selected: name === value}, label)));
}

export function languageField() {
    return field(t('settings.language'), select(Object.entries(languages), language, chooseLanguage));
}

function profileForm(chat) {
    const nickname = el('input', {type: 'text', maxlength: '64', dir: 'auto', value: chat.profile.nickname, autocomplete: 'nickname'});
    const picture = new PictureField(chat, t('settings.avatar'), (avatar_url) => avatar({...chat.profile, avatar_url}, true));
    picture.show(chat.profile.avatar_url);
    const fault = el('p.fault', {role: 'alert'});
    return el('form', {'aria-label': t('settings.profile'), onsubmit: async (event) => {
        event.preventDefault();
        const wished = wishedName(nickname);
        fault.textContent = wished.fault ?? '';
        if (wished.fault !== null) {
            nickname.focus();
            return;
        }
        try {
            await chat.updateProfile({nickname: wished.name, ...picture.changed && {avatar_url: await picture.value()}});
            picture.show(chat.profile.avatar_url);
            say(t('settings.saved'));
        } catch (problem) {
            fault.textContent = reasonOf(problem);
        }
    }},
    field(t('login.userId'), el('input', {type: 'text', value: chat.me, readonly: true})),
    picture.node, field(t('settings.nickname'), nickname), fault,
    el('div.buttons', {}, el('button.primary', {type: 'submit'}, t('settings.save'))));
}

// Not there where another system has the accounts.
function accountSection(chat, logOut) {
    const row = (spec, name, text, act) => el(`button.row-button.${spec}`, {type: 'button', 'aria-haspopup': 'dialog', onclick: act},
        icon(name), el('span', {}, text));
    const section = el('section.settings', {'aria-labelledby': 'account-title'}, el('h3', {id: 'account-title'}, t('account.title')),
        el('div.row-buttons', {},
            row('open-devices', 'laptop', t('devices.open'), () => openDevices(chat, () => logOut({all: true}))),
            row('open-password', 'key', t('password.title'), () => openChangePassword(chat)),
            row('danger-item', 'trash', t('erase.title'), () => openDeleteAccount(chat))));
    chat.rest.logins().catch((problem) => {
        section.hidden = problem.code === 'not_found';
    });
    return section;
}

// Whom the user has blocked, friends and others, and the way to lift that.
function blockedSection(chat) {
    const heading = el('h3', {id: 'blocked-title', tabindex: '-1'}, t('settings.blocked'));
    const list = el('ul.blocked', {'aria-labelledby': 'blocked-title'});
    const hint = el('p.hint');
    const show = () => {
        const users = chat.people.sortedBlocked();
        hint.textContent = t(users.length > 0 ? 'settings.blockedHint' : 'settings.noneBlocked');
        list.replaceChildren(...users.map((user) => {
            const name = nameOf(user);
            const button = textButton('quiet.small', t('people.unblock'), () => unblock(user, button),
                {'aria-label': t('people.unblockOf', {name})});
            return el('li', {'data-user': user.user_id}, el('span.person-text', {}, cutOff('strong.name', name),
                name !== user.user_id && el('small', {}, user.user_id)), button);
        }));
    };
    const unblock = async (user, button) => {
        button.disabled = true;
        try {
            await chat.befriend('unblock', user.user_id);
            await chat.people.load();
            show();
            (list.querySelector('button') ?? heading).focus();
        } catch (problem) {
            say(reasonOf(problem));
            button.disabled = false;
        }
    };
    show();
    if (!chat.people.loaded)
        chat.people.load().then(show, () => {});
    return el('section.settings', {'aria-labelledby': 'blocked-title'}, heading, hint, list);
}

function alertsField() {
    const box = el('input', {type: 'checkbox', checked: alertsWanted(), disabled: !alertsAllowed(), onchange: async () => {
        box.checked = await wantAlerts(box.checked);
        if (!alertsAllowed())
            say(t('settings.alertsDenied'));
    }});
    return el('label.check', {}, box, t('settings.alerts'));
}

// Only where the server and the browser can.
function pushField(push) {
    const box = el('input', {type: 'checkbox', name: 'push', onchange: async () => {
        box.disabled = true;
        box.checked = box.checked ? await turnOnPush(push) : await turnOffPush(push);
        box.disabled = false;
    }});
    const label = el('label.check', {hidden: true}, box, t('settings.push'));
    push.isOffered().then((offered) => {
        box.checked = push.choice === 'yes' && Notification.permission === 'granted';
        label.hidden = !offered;
    });
    return label;
}

// Resolves to whether it is on, and says what came of it.
export async function turnOnPush(push) {
    try {
        const on = await push.turnOn();
        say(t(on ? 'push.on' : 'push.off'));
        return on;
    } catch (problem) {
        say(problem instanceof DOMException ? t('push.failed') : reasonOf(problem));
        return false;
    }
}

async function turnOffPush(push) {
    try {
        await push.turnOff();
        return false;
    } catch (problem) {
        say(reasonOf(problem));
        return false;
    }
}

function soundField() {
    const box = el('input', {type: 'checkbox', name: 'sound', checked: soundWanted(), onchange: () => wantSound(box.checked)});
    return el('label.check', {}, box, t('settings.sound'));
}
