# SPDX-License-Identifier: BSD-2-Clause
# The page of the API in a real browser: it lists every operation, frame and event of the documents, the filter narrows
# it, an address opens its article, and nothing in it offends the server's content security policy.
use Tidings;
use Tidings::Browser;
use Tidings::Spec;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;

my $t = Tidings->start(workers => 1, conf => {http => {docroot => Tidings::top() . '/contrib/web'}});
my ($openapi, $asyncapi) = Tidings::Spec::documents();
my $browser = Tidings::Browser->start($t->dir);
my $url = 'http://' . $t->node->address . '/api.html';

my $csp = $t->http(undef)->get('/api.html')->header('content-security-policy');
unlike $csp =~ s/style-src[^;]*//r, qr/unsafe/, 'no script of the page itself is allowed';

# The ids of the articles that are to be seen, as one set.
my $shown = q{[...document.querySelectorAll('article')].filter((e) => e.checkVisibility()).map((e) => e.id)};
sub shown { my ($page) = @_; return {map { $_ => 1 } @{$page->value($shown)}} }

sub filter {
	my ($page, $text) = @_;
	$page->value(q{document.getElementById('filter').value = ''});
	$page->type('#filter', $text);
	return shown($page);
}

my $page = $browser->page($url);
$page->wait_value(q{document.querySelector('nav a') && !document.getElementById('state')});
my %expected = map { $_->{operationId} => 1 } map { my $item = $_; map { $item->{$_} // () } qw(get post put delete) } values %{$openapi->{paths}};
for my $op (values %{$asyncapi->{operations}}) {
	my ($name) = $op->{messages}[0]{'$ref'} =~ m{(\w+)\z};
	$expected{($op->{action} eq 'receive' ? 'frame-' : 'event-') . $asyncapi->{components}{messages}{$name}{name}} = 1;
}
$expected{"schema-$_"} = 1 for map { keys %{$_->{components}{schemas}} } $openapi, $asyncapi;
$expected{$_} = 1 for qw(codes close-codes);

subtest 'everything is there' => sub {
	is_deeply shown($page), \%expected, 'each operation, frame, event and resource has an article';
	is_deeply {map { $_ => 1 } @{$page->value(q{[...document.querySelectorAll('nav a')].map((e) => e.hash.slice(1))})}}, \%expected, 'and an entry in the contents';
	is $page->value(q{document.getElementById('found').textContent}), scalar keys %expected, 'as many as it says';
	is_deeply $page->value(q{[...document.querySelectorAll('a[href^="#"]')].map((e) => e.hash.slice(1)).filter((id) => !document.getElementById(id))}), [], 'no link leads nowhere';
	my @ids = @{$page->value(q{[...document.querySelectorAll('[id]')].map((e) => e.id)})};
	my %ids = map { $_ => 1 } @ids;
	is scalar @ids, scalar keys %ids, 'no id is there twice';
	is_deeply $page->value(q{[...document.querySelectorAll('article')].map((e) => /.{20}(undefined|\[object).{20}/.exec(e.textContent)?.[0]).filter(Boolean)}), [], 'nothing is shown as undefined';
};

subtest 'the filter' => sub {
	is_deeply filter($page, 'listMentions recallMessage'), {}, 'words that are nowhere together';
	is $page->value(q{document.getElementById('found').textContent}), '0 of ' . keys %expected, 'said in figures';
	my $got = filter($page, 'recall_expired');
	ok $got->{recallMessage} && $got->{codes}, 'a code finds the operation that answers it, and its explanation';
	ok !$got->{listFriends}, 'and not others';
	$got = filter($page, 'SendRequest');
	ok $got->{sendMessage} && $got->{'schema-SendRequest'}, 'upper case or lower';
	ok keys %$got < keys %expected, 'narrows';
	$page->value(q{document.getElementById('filter').dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))});
	is_deeply shown($page), \%expected, 'Escape brings all back';
};

subtest 'an address opens its article' => sub {
	my $deep = $browser->page("$url#sendMessage");
	$deep->wait_value(q{document.getElementById('sendMessage')?.querySelector('details').open});
	$deep->wait_text('#sendMessage', 'client_msg_id_reused');
	cmp_ok $deep->value(q{Math.abs(document.getElementById('sendMessage').getBoundingClientRect().top)}), '<', 200, 'and scrolls to it';
	is $deep->value(q{document.querySelectorAll('article details[open]').length}), 1, 'to no other';
	like $deep->value(q{document.querySelector('#sendMessage pre').textContent}), qr{^curl .*/messages/send$}, 'with a line to try';
	filter($deep, 'recall_expired');
	$deep->value(q{location.hash = '#event-presence'});
	$deep->wait_text('#event-presence', 'last_seen');
	ok shown($deep)->{'event-presence'}, 'also one that the filter had hidden';
	push @{$page->{faults}}, $deep->take_faults;
};

subtest 'dark, and narrow' => sub {
	my $light = $page->value(q{getComputedStyle(document.body).backgroundColor});
	$page->theme('dark');
	isnt $page->value(q{getComputedStyle(document.body).backgroundColor}), $light, 'another background';
	my $phone = $browser->page("$url#codes", width => 390, height => 800, mobile => 1);
	$phone->wait_value(q{document.getElementById('codes')?.querySelector('details').open});
	is $phone->value(q{document.documentElement.scrollWidth <= innerWidth}), JSON::PP::true(), 'nothing sticks out on a phone';
	push @{$page->{faults}}, $phone->take_faults;
};

is_deeply [$page->take_faults], [], 'no error in the consoles, nothing refused by the policy';
$browser->stop;
$t->stop;
done_testing;
