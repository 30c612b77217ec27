// SPDX-License-Identifier: BSD-2-Clause
// Who is logged in, and which of the pages is shown: #/overview, #/users/ID, #/messages/ID, #/audit.
import {el, icon, textButton} from '../../web/js/dom.js';
import {passing} from '../../web/js/storage.js';
import {Api} from './api.js';
import {AuditView} from './audit_view.js';
import {closeAll} from './confirm.js';
import {moment} from './format.js';
import {chooseLanguage, language, t} from './i18n.js';
import {LoginView} from './login_view.js';
import {MessageView} from './message_view.js';
import {OverviewView} from './overview_view.js';
import {UsersView} from './users_view.js';

const KEY = 'tidings-admin:token';
const VIEWS = {overview: OverviewView, users: UsersView, messages: MessageView, audit: AuditView};
const ICONS = {overview: 'overview', users: 'people', messages: 'message', audit: 'log'};

const page = document.getElementById('page');
let view = null; // of the page that is shown
let follow = null; // shows what the address names; null: nobody is logged in

function show(node) {
    closeAll();
    view?.leave();
    view = null;
    page.replaceChildren(node);
}

// The token goes, and nothing that was read with it stays.
function logOut(why = null) {
    passing.removeItem(KEY);
    follow = null;
    const login = new LoginView((token) => {
        passing.setItem(KEY, token);
        start();
    }, why);
    show(login.node);
    login.focus();
}

function languageButton() {
    const other = language === 'zh' ? 'en' : 'zh';
    return textButton('quiet.small', t('app.language'), () => chooseLanguage(other), {lang: other === 'zh' ? 'zh-CN' : 'en'});
}

function start() {
    const token = passing.getItem(KEY);
    if (token === null) {
        logOut();
        return;
    }
    let ended = false;
    const api = new Api(token, (code) => {
        if (ended)
            return;
        ended = true;
        logOut(code);
    });
    const content = el('main', {id: 'content', tabindex: '-1'});
    const links = Object.keys(VIEWS).map((name) => el('a', {href: `#/${name}`}, icon(ICONS[name]), t(`nav.${name}`)));
    const {sub, exp} = api.claims;
    show(el('div.app', {},
        el('a.skip', {href: '#content', onclick: (event) => {
            event.preventDefault();
            content.focus();
        }}, t('app.skip')),
        el('header.bar', {}, el('div.brand', {}, el('span.logo', {}, icon('logo')), el('span', {}, t('app.title'))),
            el('nav', {'aria-label': t('app.nav')}, links),
            el('div.who', {},
                typeof sub === 'string' && el('small', {}, t('app.as', {name: sub}), Number.isFinite(exp) && [' ', t('app.tokenEnds', {time: moment(exp * 1000)})]),
                languageButton(), textButton('quiet.small', t('app.logOut'), () => logOut()))),
        content));
    follow = () => {
        const [, wanted, id] = location.hash.match(/^#\/(\w+)(?:\/(.+))?$/) ?? [];
        const name = Object.hasOwn(VIEWS, wanted ?? '') ? wanted : 'overview';
        links.forEach((link) => (link.hash === `#/${name}` ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current')));
        const isFirst = view === null;
        view?.leave();
        view = new VIEWS[name](api, decoded(id));
        content.replaceChildren(view.node);
        document.title = `${t(`nav.${name}`)} · ${t('app.title')}`;
        if (!isFirst)
            content.focus({preventScroll: true});
    };
    follow();
}

// A part of the address; null where it is none.
function decoded(text = '') {
    try {
        return text === '' ? null : decodeURIComponent(text);
    } catch {
        return null;
    }
}

addEventListener('hashchange', () => follow?.());
start();
