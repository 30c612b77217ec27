// SPDX-License-Identifier: BSD-2-Clause
// The people who are found as one types. Whom one chooses is shown by people_view.js, above them.
import {KeyedList, cutOff, el, textButton} from './dom.js';
import {nameOf} from './format.js';
import {reasonOf, t} from './i18n.js';

export class DirectoryView {
    #directory;
    #on;
    #status = el('p.hint', {role: 'status'});
    #list = el('ul.list', {'aria-label': t('directory.title')});
    #keyed = new KeyedList(this.#list, ({user, how}) => this.#rowNode(user, how));
    #more = textButton('quiet.small.directory-more', t('directory.more'), () => this.#showMore());
    node = el('section', {'data-section': 'directory', hidden: true}, el('h3', {}, t('directory.title')), this.#status, this.#list, this.#more);

    // on.picture(user): a node; on.how(user): what they are to this one; on.choose(user)
    constructor(directory, on) {
        this.#directory = directory;
        this.#on = on;
    }

    refresh() {
        const {text, users, problem, hasMore} = this.#directory;
        this.node.hidden = text === '';
        const rows = users.map((user) => ({user, how: this.#on.how(user)}));
        this.#keyed.show(rows.map((row) => ({key: row.user.user_id, version: JSON.stringify(row), ...row})));
        this.#more.hidden = !hasMore;
        this.#status.textContent = problem !== null ? reasonOf(problem) : users.length === 0 ? t('directory.none', {text}) :
            t(hasMore ? 'directory.foundMore' : 'directory.found', {count: users.length});
    }

    async #showMore() {
        const {length} = this.#directory.users;
        const hadFocus = document.activeElement === this.#more;
        await this.#directory.more();
        if (hadFocus && (this.#more.hidden || document.activeElement === document.body))
            (this.#list.children[length] ?? this.#list.lastElementChild)?.querySelector('button')?.focus();
    }

    #rowNode(user, how) {
        const known = how === 'self' ? t('people.self') : how === 'stranger' ? null : t(`directory.is.${how}`);
        return el('li.person', {'data-user': user.user_id}, el('button.person-link', {type: 'button', onclick: () => this.#on.choose(user)},
            this.#on.picture(user), el('span.person-text', {}, cutOff('strong.name', nameOf(user)), cutOff('small', user.user_id)),
            known !== null && el('small.known', {}, known)));
    }
}
