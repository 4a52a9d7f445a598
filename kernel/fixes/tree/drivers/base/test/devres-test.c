// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for managed device resources.
 */

#include <kunit/device.h>
#include <kunit/test.h>

#include <linux/device.h>

/* A resource whose release adds another one. */
struct late {
	struct device *dev;
	int err;
	bool is_released;
};

static void release_late(void *data)
{
	struct late *late = data;

	late->is_released = true;
}

static void add_late(void *data)
{
	struct late *late = data;

	late->err = devm_add_action(late->dev, release_late, late);
}

/* Unbind releases all resources, also those that are added meanwhile. */
static void devres_late_test(struct kunit *test)
{
	struct late *late;
	struct device *dev;
	int attached;

	/* Freed after the device, whose release reads it if unbind does not. */
	late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, late);
	dev = kunit_device_register(test, "late");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	late->dev = dev;
	KUNIT_ASSERT_EQ(test, devm_add_action(dev, add_late, late), 0);

	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, late->err, 0);
	KUNIT_EXPECT_TRUE(test, late->is_released);

	/* A device that still has resources is not probed. */
	attached = device_attach(dev);
	KUNIT_EXPECT_EQ(test, attached, 1);
}

static struct kunit_case devres_tests[] = {
	KUNIT_CASE(devres_late_test),
	{}
};

static struct kunit_suite devres_test_suite = {
	.name = "devres",
	.test_cases = devres_tests,
};

kunit_test_suite(devres_test_suite);

MODULE_DESCRIPTION("KUnit tests for managed device resources");
MODULE_LICENSE("GPL");
