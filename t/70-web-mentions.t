# SPDX-License-Identifier: BSD-2-Clause
# Proves mentions on the chat page: completing a name while it is typed, everyone, what is marked in a message, the badge
# in the list, the way to the next one that is unread, and a large group whose members are not all known to the page.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
my @crowd = map { sprintf 'p%03d', $_ } 1 .. 120;
$t->befriend(qw(ann ben cat));
for my $one (@crowd) {
	$t->dbh->do('INSERT INTO users (id, nickname) VALUES (?, ?)', undef, $one, "Person $one");
	$t->dbh->do('INSERT INTO friendships (user_id, friend_id) VALUES (?, ?), (?, ?)', undef, 'ann', $one, $one, 'ann');
}
$t->dbh->do('UPDATE users SET nickname = ? WHERE id = ?', undef, 'Ben Miller', 'ben');
my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
my ($ann, $ben, $cat) = map { $web->enter($_) } qw(ann ben cat);
$_->open_group($group) for $ann, $ben;

sub options { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.mention-list [role=option]')].map((e) => e.dataset.user)}) }
sub marked { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.message:last-child .mention')].map((e) => [e.dataset.user, e.textContent])}) }
sub stored { my ($text) = @_; my ($m) = grep { ($_->{content} // '') eq $text } @{$t->api('ann')->get("/messages/conversations/$group/messages?limit=100")->json->{items}}; return $m->{mentions} }

subtest 'completing a name' => sub {
	$ann->type('#compose', 'hi @');
	$ann->wait_value(q{document.querySelectorAll('.mention-list [role=option]').length === 3});
	is_deeply options($ann), ['ben', 'cat', '*'], 'the others, and everyone';
	is $ann->value(q{document.querySelector('#compose').getAttribute('aria-activedescendant')}), 'mention-0', 'the first is chosen, for a screen reader too';
	$ann->key('ArrowDown')->wait_value(q{document.querySelector('.mention-list [aria-selected=true]').dataset.user === 'cat'});
	$ann->key('ArrowUp')->key('ArrowUp')->wait_value(q{document.querySelector('.mention-list [aria-selected=true]').dataset.user === '*'});
	$ann->insert('mil')->wait_value(q{document.querySelectorAll('.mention-list [role=option]').length === 1});
	$ann->key('Enter')->wait_value(q{document.querySelector('.mention-list').hidden});
	is $ann->value(q{document.querySelector('#compose').value}), 'hi @Ben Miller ', 'by any word of the name';
	$ann->insert('and @c')->key('Tab')->insert('!')->key('Enter')->wait_last('hi @Ben Miller and @Cat !');
	is_deeply marked($ann), [['ben', '@Ben Miller'], ['cat', '@Cat']], 'the names are marked';
	wait_for('it to be stored', sub { stored('hi @Ben Miller and @Cat !') });
	is_deeply [sort @{stored('hi @Ben Miller and @Cat !')}], ['ben', 'cat'], 'and stored';
	$ann->insert('an address: me@')->key('Enter')->wait_last('an address: me@');
	$ann->insert('@be')->wait_value(q{!document.querySelector('.mention-list').hidden});
	$ann->key('Escape')->wait_value(q{document.querySelector('.mention-list').hidden});
	$ann->insert('n')->wait_value(q{document.querySelector('#compose').value === '@ben'});
	ok $ann->value(q{document.querySelector('.mention-list').hidden}), 'Escape ends it for this one';
	$ann->key('Enter')->wait_last('@ben');
	is_deeply marked($ann), [['ben', '@ben']], 'an id that is typed will do';
	$ann->type('#compose', '@mil')->click('.mention-list [data-user=ben]')->wait_value(q{document.querySelector('#compose').value === '@Ben Miller '});
	is $ann->value('document.activeElement.id'), 'compose', 'the mouse chooses too, and the focus stays';
	$ann->key('Enter')->wait_last('@Ben Miller');
};

subtest 'being mentioned' => sub {
	$cat->wait_text(".chat[data-group='$group'] .mentions", '@');
	is $cat->value(q{document.querySelector('.mentions').getAttribute('aria-label')}), '1 mention of you', 'the list says so';
	$cat->wait_value(q{document.querySelector('.chat .badge:not(.mentions)').textContent === '4'});
	pass 'beside what is unread';
	$ben->wait_last('@Ben Miller')->wait_gone('.chat .mentions');
	pass 'not for who looks at it';
	is $ben->count('.message.of-me'), 3, 'what mentions one is marked';
	like $ben->value(q{document.querySelector('.of-me').getAttribute('aria-label')}), qr/mentions you/, 'for a screen reader too';
	is $ann->count('.of-me'), 0, 'for those alone who are';
	$cat->open_group($group)->wait_gone('.chat .badge');
	is $cat->count('.of-me'), 1, 'read, it is gone from the list';
};

subtest 'everyone' => sub {
	$ben->type('#compose', '@ever')->wait_value(q{document.querySelector('.mention-list [data-user="*"]')});
	$ben->key('Enter')->insert("listen\n")->wait_last('@everyone listen');
	$ann->wait_last('@everyone listen')->wait_value(q{document.querySelector('.message:last-child').matches('.of-me')});
	is_deeply marked($ann), [['*', '@everyone']], 'in a small group anyone may';
};

subtest 'to the next one' => sub {
	$cat->value(q{location.hash = '#/'; 0});
	$cat->wait_value(q{!document.querySelector('.chat[aria-current]')});
	$web->say_in('ann', $group, "line $_") for 1 .. 40;
	$web->say_in('ann', $group, 'first for @Cat', mentions => ['cat']);
	$web->say_in('ann', $group, "more $_") for 1 .. 40;
	$web->say_in('ann', $group, 'second for @Cat', mentions => ['cat']);
	$web->say_in('ann', $group, "end $_") for 1 .. 40;
	$cat->open_group($group)->wait_text('.separator.new', 'New messages')->wait_text('.to-mention .badge', '2');
	is $cat->value(q{document.querySelector('.to-mention').getAttribute('aria-label')}), 'To the next message that mentions you, 2 mentions of you', 'a button says how many';
	$cat->click('.to-mention')->wait_value(q{document.activeElement.textContent.includes('first for @Cat')});
	$cat->wait_text('.to-mention .badge', '1');
	$cat->click('.to-mention')->wait_value(q{document.activeElement.textContent.includes('second for @Cat')});
	$cat->wait_value(q{!document.querySelector('.to-mention').checkVisibility()});
	cmp_ok $cat->value(q{Number(document.querySelector('.latest .badge').textContent)}), '>', 0, 'what comes after is unread still';
	$cat->click('.latest')->wait_gone('.chat .badge');
};

subtest 'a large group' => sub {
	my $large = $web->group('Crowd', 'ann', \@crowd);
	$t->api('p120')->post('/messages/send', {conversation_id => $large, message_type => 'text', content => 'hello'});
	$ann->open_group($large)->wait_text('.sender', 'Person p120');
	$ann->type('#compose', '@p120')->wait_value(q{document.querySelector('.mention-list [role=option]')?.dataset.user === 'p120'});
	$ann->key('Enter')->insert("yes?\n")->wait_last('@Person p120 yes?');
	is_deeply marked($ann), [['p120', '@Person p120']], 'those whom the page does not know are found by the server';
	my $one = $web->enter('p001');
	$one->open_group($large)->type('#compose', '@')->wait_value(q{document.querySelector('.mention-list [role=option]')});
	is $one->value(q{document.querySelector('.mention-list [data-user="*"]')}), undef, 'a member of a large group cannot mention everyone';
	$one->key('Escape')->insert('everyone')->wait_text('.not-all', 'Only admins can mention everyone here.');
	$one->insert('x')->wait_value(q{document.querySelector('.not-all').textContent === ''});
	pass 'and is told so';
	$one->close;
};

is_deeply [map { $_->own_faults } $ann, $ben, $cat], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
