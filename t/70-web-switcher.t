# SPDX-License-Identifier: BSD-2-Clause
# Proves the quick switcher of the chat page: by Ctrl+K and by its button, finding people, groups and friends by a few
# letters, with keys and with the mouse, for a screen reader, in Chinese, on a phone.
use utf8;
use Tidings;
use Tidings::Web;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat dan));
$t->dbh->do('UPDATE users SET nickname = ? WHERE id = ?', undef, @$_) for ['Ben Miller', 'ben'], ['Élodie', 'cat'], ['王小明', 'dan'];
my $group = $web->group('Walkers & Talkers', 'ann', [qw(ben cat)]);
$t->send_text('ben', 'ann', 'hello');
$t->send_text('cat', 'ann', "line $_") for 1 .. 3;
my $ann = $web->enter('ann');
$ann->wait_text('.chat[data-user=cat] .badge', '3');

sub options { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.switcher [role=option]')].map((e) => e.dataset.key)}) }
sub active { my ($page) = @_; return $page->value(q{document.querySelector('.switcher [aria-selected=true]')?.dataset.key ?? null}) }
sub room { my ($page, $name) = @_; my $n = JSON::PP->new->allow_nonref->encode($name); $page->wait_value("document.querySelector('.room-title h2').checkVisibility() && document.querySelector('.room-title h2').textContent === $n"); return $page }
my $open = q{document.querySelector('dialog.switcher') !== null};

subtest 'with keys' => sub {
	$ann->key('Control+k')->wait_value($open);
	$ann->wait_value('document.querySelector(".switcher [data-key=dan]") !== null'); # friends may come after the conversations
	is_deeply options($ann), ['cat', 'ben', "g/$group", 'dan'], 'the latest conversations first, then friends';
	is_deeply $ann->value(q{[document.activeElement.getAttribute('role'), document.activeElement.getAttribute('aria-expanded'), document.getElementById(document.activeElement.getAttribute('aria-controls')).getAttribute('role'),
		document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).dataset.key]}), ['combobox', 'true', 'listbox', 'cat'], 'for a screen reader too';
	$ann->key('ArrowDown');
	is active($ann), 'ben', 'down';
	$ann->key('ArrowUp', 'ArrowUp');
	is active($ann), 'dan', 'round the end';
	$ann->key('PageUp');
	is active($ann), 'cat', 'a page up';
	$ann->insert('mil')->wait_value(q{document.querySelectorAll('.switcher [role=option]').length === 1});
	is_deeply [active($ann), $ann->value(q{document.querySelector('.switcher mark').textContent})], ['ben', 'Mil'], 'by a part of the name, which is marked';
	$ann->key('Enter')->wait_value("!($open)");
	room($ann, 'Ben Miller');
	is $ann->value('document.activeElement.id'), 'compose', 'and one writes';
	$ann->insert('not ')->key('Control+k')->wait_value($open);
	is_deeply options($ann), ['cat', "g/$group", 'dan'], 'without the one that is open';
	$ann->key('Escape')->wait_value("!($open)");
	is $ann->value('document.activeElement.id'), 'compose', 'Escape leaves everything as it was';
	$ann->insert('lost')->wait_value(q{document.querySelector('#compose').value === 'not lost'});
	$ann->key('Control+k')->wait_value($open);
	$ann->key('Control+k')->wait_value("!($open)");
	pass 'the same keys close it';
	$ann->key('Control+k')->wait_value($open);
	$ann->insert('elod')->wait_value(q{document.querySelectorAll('.switcher [role=option]').length === 1});
	$ann->key('Enter');
	room($ann, 'Élodie');
	$ann->key('Control+k')->wait_value($open);
	$ann->insert('wt')->wait_value(q{document.querySelector('.switcher [aria-selected=true]').dataset.key.startsWith('g/')});
	$ann->key('Enter');
	room($ann, 'Walkers & Talkers');
	$ann->key('Control+k')->wait_value($open);
	$ann->insert('小明')->wait_value(q{document.querySelectorAll('.switcher [role=option]').length === 1});
	$ann->key('Enter');
	room($ann, '王小明');
	pass 'a friend with whom there was no conversation';
	$ann->key('Control+k')->wait_value($open);
	$ann->insert('xyz')->wait_text('.switcher .empty', 'Nothing found.');
	$ann->key('Enter');
	ok $ann->value($open), 'Enter chooses nothing then';
	$ann->key('Escape')->wait_value("!($open)");
};

subtest 'with the mouse' => sub {
	$ann->click('.side-header .icon-button[aria-keyshortcuts]')->wait_value($open);
	like $ann->value(q{document.querySelector('[aria-keyshortcuts]').title}), qr/\(Ctrl\+K\)/, 'the button tells the keys';
	$t->send_text('ben', 'ann', 'meanwhile');
	$ann->wait_value(q{document.querySelector('.switcher [role=option]').dataset.key === 'ben'});
	pass 'it follows what comes in';
	$ann->click('.switcher .option', 'Ben Miller')->wait_value("!($open)");
	room($ann, 'Ben Miller');
	$ann->click('.mine')->wait_value(q{document.querySelector('dialog[open]')});
	$ann->key('Control+k');
	ok !$ann->value($open), 'not over another dialog';
	$ann->key('Escape');
	is_deeply [grep { $_->[1] eq '' } do { $ann->key('Control+k')->wait_value($open); $ann->accessible }], [], 'everything has a name';
	$ann->key('Escape');
};

subtest 'in Chinese, on a phone' => sub {
	my $phone = $web->enter('ann', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->click('.side-header .icon-button[aria-keyshortcuts]')->wait_value($open);
	is $phone->value(q{document.querySelector('.switcher input').placeholder}), '用户或群聊的名称', 'in Chinese';
	ok $phone->value(q{(() => { const r = document.querySelector('.switcher').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.bottom <= innerHeight })()}), 'it fits';
	$phone->click('.switcher .option', 'Walkers');
	room($phone, 'Walkers & Talkers');
	is_deeply [$phone->own_faults], [], 'no fault';
};

is_deeply [$ann->own_faults], [], 'no error in the console, nothing refused by the policy';
$web->stop;
done_testing;
